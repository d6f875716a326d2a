import TestSupport

/// A tar made by hand (POSIX pax), also of what no tar program would write.
struct TarBuilder {
    private(set) var bytes: [UInt8] = []

    /// What most tests say of an entry.
    struct Traits {
        var mode: UInt32?
        var user: UInt64 = 0
        var group: UInt64 = 0
        var time: UInt64 = 1_600_000_000
        /// Records of a pax header before the entry, such as `SCHILY.xattr.user.x`.
        var records: [(String, [UInt8])] = []
    }

    /// The archive: what was added, and the two blocks of zeros at the end.
    var archive: [UInt8] { bytes + [UInt8](repeating: 0, count: 1024) }

    mutating func directory(_ name: String, _ traits: Traits = Traits()) {
        entry(name, type: "5", mode: traits.mode ?? 0o755, traits)
    }

    mutating func file(_ name: String, _ contents: [UInt8] = [], _ traits: Traits = Traits()) {
        entry(name, type: "0", mode: traits.mode ?? 0o644, traits, contents)
    }

    mutating func file(_ name: String, _ contents: String, _ traits: Traits = Traits()) {
        file(name, Array(contents.utf8), traits)
    }

    mutating func symbolicLink(_ name: String, to target: String, _ traits: Traits = Traits()) {
        entry(name, type: "2", mode: 0o777, traits, link: target)
    }

    mutating func hardLink(_ name: String, to target: String, _ traits: Traits = Traits()) {
        entry(name, type: "1", mode: 0o644, traits, link: target)
    }

    mutating func device(_ name: String, type: Character, _ major: UInt64, _ minor: UInt64, _ traits: Traits = Traits()) {
        entry(name, type: type, mode: traits.mode ?? 0o600, traits, device: (major, minor))
    }

    mutating func fifo(_ name: String, _ traits: Traits = Traits()) {
        entry(name, type: "6", mode: traits.mode ?? 0o600, traits)
    }

    /// A whiteout in a directory (empty for the root).
    mutating func whiteout(_ name: String, in directory: String = "") {
        file((directory.isEmpty ? "" : directory + "/") + ".wh." + name)
    }

    mutating func opaque(_ directory: String) {
        file(directory + "/.wh..wh..opq")
    }

    /// Any entry. Names, links and numbers that a header has no room for go to a pax header.
    mutating func entry(
        _ name: String, type: Character, mode: UInt32, _ traits: Traits, _ contents: [UInt8] = [], link: String = "",
        device: (UInt64, UInt64) = (0, 0), size: Int? = nil
    ) {
        var records = traits.records
        if name.utf8.count > 100 { records.append(("path", Array(name.utf8))) }
        if link.utf8.count > 100 { records.append(("linkpath", Array(link.utf8))) }
        if traits.user > 0o7777777 { records.append(("uid", Array("\(traits.user)".utf8))) }
        if traits.group > 0o7777777 { records.append(("gid", Array("\(traits.group)".utf8))) }
        if !records.isEmpty {
            let text = records.flatMap { Self.record($0.0, $0.1) }
            header("pax", type: "x", mode: 0o644, Traits(), size: text.count, link: "", device: (0, 0))
            pad(text)
        }
        header(name, type: type, mode: mode, traits, size: size ?? contents.count, link: link, device: device)
        pad(contents)
    }

    mutating func raw(_ added: [UInt8]) { bytes += added }

    private mutating func pad(_ contents: [UInt8]) {
        bytes += contents
        bytes += [UInt8](repeating: 0, count: (512 - contents.count % 512) % 512)
    }

    /// LENGTH KEY=VALUE and a newline, the length including its own digits.
    private static func record(_ key: String, _ value: [UInt8]) -> [UInt8] {
        let rest = Array(" \(key)=".utf8) + value + [10]
        var length = rest.count + 1
        while "\(length)".utf8.count + rest.count != length { length = "\(length)".utf8.count + rest.count }
        return Array("\(length)".utf8) + rest
    }

    private mutating func header(
        _ name: String, type: Character, mode: UInt32, _ traits: Traits, size: Int, link: String, device: (UInt64, UInt64)
    ) {
        // Plain loops: tens of thousands of headers are made by tests that are built without optimization.
        var header = [UInt8](repeating: 0, count: 512)
        func put(_ text: String, at offset: Int, limit: Int) {
            var place = offset
            for byte in text.utf8 where place < offset + limit {
                header[place] = byte
                place += 1
            }
        }
        func octal(_ value: UInt64, _ digits: Int, at offset: Int) {
            var (rest, place) = (value, offset + digits - 1)
            while place >= offset {
                header[place] = 48 + UInt8(rest & 7)
                rest >>= 3
                place -= 1
            }
        }
        put(name, at: 0, limit: 100)
        octal(UInt64(mode), 7, at: 100)
        octal(traits.user, 7, at: 108)
        octal(traits.group, 7, at: 116)
        octal(UInt64(size), 11, at: 124)
        octal(traits.time, 11, at: 136)
        put("        ", at: 148, limit: 8)
        put(String(type), at: 156, limit: 1)
        put(link, at: 157, limit: 100)
        put("ustar", at: 257, limit: 5)
        put("00", at: 263, limit: 2)
        octal(device.0, 7, at: 329)
        octal(device.1, 7, at: 337)
        var (sum, place) = (0, 0)
        while place < 512 {
            sum += Int(header[place])
            place += 1
        }
        octal(UInt64(sum), 6, at: 148)
        header[154] = 0
        bytes += header
    }
}

/// A tar with what `build` adds.
func tar(_ build: (inout TarBuilder) -> Void) -> [UInt8] {
    var builder = TarBuilder()
    build(&builder)
    return builder.archive
}

/// Bytes that no compression makes smaller, the same for the same count.
func noise(_ count: Int) -> [UInt8] {
    var random = SplitMix64(seed: UInt64(count))
    let words = (0..<(count + 7) / 8).map { _ in random.next() }
    return words.withUnsafeBytes { Array($0.prefix(count)) }
}
