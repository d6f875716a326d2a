import AgentCore
import Testing
import TestSupport

@Suite("Tar archives")
struct TarTests {
    /// Reads an archive as the agent does: members, and their contents.
    static func read(_ archive: [UInt8]) throws(TarReader.Failure) -> [(entry: TarEntry, contents: [UInt8])] {
        var reader = TarReader()
        var members: [(TarEntry, [UInt8])] = []
        var rest = archive[...]
        func take(_ count: Int) -> [UInt8] {
            defer { rest = rest.dropFirst(count + Tar.padding(UInt64(count))) }
            return Array(rest.prefix(count))
        }
        while rest.count >= Tar.blockSize {
            switch try reader.header(take(Tar.blockSize)) {
            case .nothing: break
            case .end: return members
            case .data(let count): try reader.take(take(count))
            case .entry(let entry): members.append((entry, take(Int(clamping: min(entry.size, UInt64(rest.count))))))
            }
        }
        return members
    }

    static func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

    static let entries: [TarEntry] = [
        TarEntry(name: bytes("file"), kind: .file, mode: 0o644, user: 1000, group: 1000, size: 5, time: 1_234_567_890),
        TarEntry(name: bytes("empty"), kind: .file, mode: 0o7777),
        TarEntry(name: bytes("directory/"), kind: .directory, mode: 0o1777),
        TarEntry(name: bytes(String(repeating: "n", count: 100)), kind: .file, mode: 0),
        TarEntry(name: bytes(String(repeating: "long/", count: 300) + "name"), kind: .file, mode: 0o600, size: 512),
        TarEntry(name: bytes("link"), kind: .symbolicLink(bytes(String(repeating: "../", count: 1000))), mode: 0o777),
        TarEntry(name: bytes("hard"), kind: .hardLink(bytes("file")), mode: 0o644),
        TarEntry(name: bytes("null"), kind: .characterDevice(major: 1, minor: 3), mode: 0o666),
        TarEntry(name: bytes("disk"), kind: .blockDevice(major: 254, minor: 65535), mode: 0o660),
        TarEntry(name: bytes("pipe"), kind: .fifo, mode: 0o644),
        TarEntry(name: [0xff, 0xfe, 0x20], kind: .file, mode: 0o644),
        TarEntry(name: bytes("numbers"), kind: .file, mode: 0o644, user: 4_000_000_000, group: 2_097_152, time: 1_700_000_000, nanoseconds: 1),
        TarEntry(name: bytes("before 1970"), kind: .file, mode: 0o644, time: -2, nanoseconds: 500_000_000),
        TarEntry(name: bytes("1969"), kind: .directory, mode: 0o755, time: -1, nanoseconds: 0),
        TarEntry(name: bytes("far"), kind: .file, mode: 0o644, time: 1 << 40),
        TarEntry(name: bytes("attributes"), kind: .file, mode: 0o755, attributes: [
            .init(name: bytes("user.a"), value: [0, 10, 61, 255]), .init(name: bytes("security.capability"), value: []),
        ]),
    ]

    private static func archive(_ entries: [TarEntry]) -> [UInt8] {
        entries.flatMap { entry -> [UInt8] in
            let contents = [UInt8](repeating: 7, count: Int(entry.size))
            return entry.header + contents + [UInt8](repeating: 0, count: Tar.padding(entry.size))
        } + Tar.end
    }

    @Test("a member comes back as it was", arguments: entries)
    func roundTrip(entry: TarEntry) throws {
        let members = try Self.read(Self.archive([entry]))
        try #require(members.count == 1)
        #expect(members[0].entry == entry)
        #expect(members[0].contents == [UInt8](repeating: 7, count: Int(entry.size)))
    }

    @Test("many members come back in their order")
    func order() throws {
        #expect(try Self.read(Self.archive(Self.entries)).map { $0.entry } == Self.entries)
    }

    @Test("a file of more than 8 GiB keeps its size")
    func large() throws {
        let entry = TarEntry(name: Self.bytes("large"), kind: .file, mode: 0o644, size: 1 << 40)
        var reader = TarReader()
        let header = entry.header
        try #require(header.count == 3 * Tar.blockSize)
        guard case .data(let count) = try reader.header(Array(header[..<512])) else { return #expect(Bool(false), "no extended header") }
        try reader.take(Array(header[512..<(512 + count)]))
        #expect(try reader.header(Array(header[1024...])) == .entry(entry))
    }

    @Test("after the end nothing is read")
    func end() throws {
        #expect(try Self.read(Self.archive(Array(Self.entries.prefix(2))) + [UInt8](repeating: 1, count: 1024)).count == 2)
    }

    @Test("a single zero block is not the end")
    func zeroBlock() throws {
        let one = Self.entries[0].header + [UInt8](repeating: 0, count: 512)
        #expect(try Self.read(one + [UInt8](repeating: 0, count: 512) + Self.archive([Self.entries[1]])).count == 2)
    }

    @Test("what is no archive is refused")
    func noArchive() {
        #expect(throws: TarReader.Failure.self) { try Self.read([UInt8](repeating: 0x41, count: 2048)) }
        var header = Self.entries[0].header
        header[0] ^= 1
        #expect(throws: TarReader.Failure.checksum) { try Self.read(header) }
    }

    @Test("an extended header of more than a mebibyte is refused before it is read")
    func longExtension() throws {
        let entry = TarEntry(name: Self.bytes("x"), kind: .file, mode: 0o644, size: 1 << 21)
        var header = entry.header
        header[156] = UInt8(ascii: "x")
        header.replaceSubrange(148..<156, with: [UInt8](repeating: 32, count: 8))
        let sum = header.reduce(0) { $0 + UInt64($1) }
        header.replaceSubrange(148..<156, with: Digits.octal(sum, width: 6) + [0, 32])
        #expect(throws: TarReader.Failure.longExtension(1 << 21)) { try Self.read(header) }
    }

    @Test("changed bytes are noticed or harmless, and stop nothing", arguments: [1, 2, 3, 4] as [UInt64])
    func noise(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let archive = Self.archive(Self.entries)
        for _ in 0..<500 {
            var bytes = archive
            for _ in 0...random.below(20) { bytes[random.below(bytes.count)] = UInt8(random.below(256)) }
            // So that more than the checksum is looked at.
            for start in stride(from: 0, to: bytes.count, by: 512) where random.below(2) == 0 {
                bytes.replaceSubrange((start + 148)..<(start + 156), with: [UInt8](repeating: 32, count: 8))
                let sum = bytes[start..<(start + 512)].reduce(0) { $0 + UInt64($1) }
                bytes.replaceSubrange((start + 148)..<(start + 156), with: Digits.octal(sum, width: 6) + [0, 32])
            }
            _ = try? Self.read(bytes)
        }
    }

    @Test("extended headers of noise stop nothing", arguments: [1, 2] as [UInt64])
    func extensionNoise(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let letters = Array("0123456789 =\nmtimesizepathuidgid.-".utf8)
        for _ in 0..<5000 {
            let records = (0..<random.below(60)).map { _ in random.pick(letters) }
            var reader = TarReader()
            var header = TarEntry(name: Self.bytes("x"), kind: .file, mode: 0, size: UInt64(records.count)).header
            header[156] = UInt8(ascii: "x")
            header.replaceSubrange(148..<156, with: [UInt8](repeating: 32, count: 8))
            let sum = header.reduce(0) { $0 + UInt64($1) }
            header.replaceSubrange(148..<156, with: Digits.octal(sum, width: 6) + [0, 32])
            _ = try? reader.header(header)
            try? reader.take(records)
        }
    }
}
