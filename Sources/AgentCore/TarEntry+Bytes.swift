extension TarEntry {
    /// The member's headers: a ustar one, and before it a pax extended header with what that has no room for.
    public var header: [UInt8] {
        let records = extensions
        guard !records.isEmpty else { return ustar(name: name, type: type, size: size) }
        let padding = [UInt8](repeating: 0, count: Tar.padding(UInt64(records.count)))
        // Of a name for programs that know no pax, nobody depends.
        return ustar(name: Array("PaxHeader".utf8), type: UInt8(ascii: "x"), size: UInt64(records.count)) + records + padding
            + ustar(name: name, type: type, size: size)
    }

    private var type: UInt8 {
        switch kind {
        case .file: UInt8(ascii: "0")
        case .hardLink: UInt8(ascii: "1")
        case .symbolicLink: UInt8(ascii: "2")
        case .characterDevice: UInt8(ascii: "3")
        case .blockDevice: UInt8(ascii: "4")
        case .directory: UInt8(ascii: "5")
        case .fifo: UInt8(ascii: "6")
        }
    }

    private var target: [UInt8] {
        switch kind {
        case .hardLink(let target), .symbolicLink(let target): target
        default: []
        }
    }

    private static let nameWidth = 100
    private static let largestSize: UInt64 = 0o77_777_777_777
    private static let largestNumber: UInt64 = 0o7_777_777

    private var extensions: [UInt8] {
        var records: [UInt8] = []
        if name.count > Self.nameWidth { Self.add("path", name, to: &records) }
        if target.count > Self.nameWidth { Self.add("linkpath", target, to: &records) }
        if size > Self.largestSize { Self.add("size", Digits.text(size), to: &records) }
        if UInt64(user) > Self.largestNumber { Self.add("uid", Digits.text(UInt64(user)), to: &records) }
        if UInt64(group) > Self.largestNumber { Self.add("gid", Digits.text(UInt64(group)), to: &records) }
        if nanoseconds > 0 || time < 0 || time > Int64(Self.largestSize) { Self.add("mtime", timeText, to: &records) }
        for attribute in attributes { Self.add("SCHILY.xattr.", attribute.name, attribute.value, to: &records) }
        return records
    }

    /// Decimal seconds; before 1970 with a sign, which the fraction has as well.
    private var timeText: [UInt8] {
        var seconds = time.magnitude
        var fraction = UInt64(min(nanoseconds, 999_999_999))
        if time < 0, fraction > 0 {
            seconds -= 1
            fraction = 1_000_000_000 - fraction
        }
        let digits = Digits.text(fraction)
        let zeros = [UInt8](repeating: UInt8(ascii: "0"), count: 9 - digits.count)
        return (time < 0 ? [UInt8(ascii: "-")] : []) + Digits.text(seconds) + [UInt8(ascii: ".")] + zeros + digits
    }

    /// "LENGTH KEY=VALUE\n", where the length counts its own digits.
    private static func add(_ key: StaticString, _ name: [UInt8] = [], _ value: [UInt8], to records: inout [UInt8]) {
        let keyBytes = Array(UnsafeBufferPointer(start: key.utf8Start, count: key.utf8CodeUnitCount))
        let record = [UInt8(ascii: " ")] + keyBytes + name + [UInt8(ascii: "=")] + value + [UInt8(ascii: "\n")]
        var length = record.count + 1
        while Digits.text(UInt64(length)).count + record.count > length { length += 1 }
        records += Digits.text(UInt64(length)) + record
    }

    private static func add(_ key: StaticString, _ value: [UInt8], to records: inout [UInt8]) {
        add(key, [], value, to: &records)
    }

    private func ustar(name: [UInt8], type: UInt8, size: UInt64) -> [UInt8] {
        var block = [UInt8](repeating: 0, count: Tar.blockSize)
        func put(_ bytes: [UInt8], at offset: Int, width: Int) {
            for (index, byte) in bytes.prefix(width).enumerated() { block[offset + index] = byte }
        }
        // Octal digits and a zero byte; what is too large is in the extended header.
        func put(_ number: UInt64, at offset: Int, width: Int) {
            let limit: UInt64 = (1 << UInt64(3 * (width - 1))) - 1
            put(Digits.octal(min(number, limit), width: width - 1), at: offset, width: width - 1)
        }
        put(name, at: 0, width: Self.nameWidth)
        put(UInt64(mode & 0o7777), at: 100, width: 8)
        put(UInt64(user), at: 108, width: 8)
        put(UInt64(group), at: 116, width: 8)
        put(size, at: 124, width: 12)
        put(time < 0 ? 0 : UInt64(time), at: 136, width: 12)
        block[156] = type
        put(target, at: 157, width: Self.nameWidth)
        put(Array("ustar\0".utf8) + Array("00".utf8), at: 257, width: 8)
        if case .characterDevice(let major, let minor) = kind {
            put(UInt64(major), at: 329, width: 8)
            put(UInt64(minor), at: 337, width: 8)
        } else if case .blockDevice(let major, let minor) = kind {
            put(UInt64(major), at: 329, width: 8)
            put(UInt64(minor), at: 337, width: 8)
        }
        put([UInt8](repeating: UInt8(ascii: " "), count: 8), at: 148, width: 8)
        let sum = block.reduce(0 as UInt64) { $0 + UInt64($1) }
        put(Digits.octal(sum, width: 6) + [0], at: 148, width: 7)
        return block
    }
}
