@testable import Snapshot
import Testing
import TestSupport
import Wire

@Suite("A snapshot's state")
struct StateTests {
    static let identifier = SnapshotIdentifier(Array(1...16))!
    static let base = SnapshotBase(path: "/tmp/zwölf", identifier: SnapshotIdentifier(Array(101...116))!)

    static let plain = SnapshotContents(identifier: identifier, memorySize: 1 << 20, sections: someSections)
    static let difference: SnapshotContents = {
        var pages = PageBitmap(pageCount: 256)
        pages.insert(3..<70)
        return SnapshotContents(identifier: identifier, memorySize: 1 << 20, difference: (base, pages), sections: someSections)
    }()
    static let all = [plain, difference, SnapshotContents(identifier: identifier, memorySize: 64 << 30, sections: [])]

    private func encoded(_ contents: SnapshotContents) throws -> [UInt8] { try contents.encoded(file: "F") }

    private func decode(_ bytes: [UInt8]) throws(SnapshotError) -> SnapshotContents {
        try SnapshotContents(decoding: bytes, file: "F")
    }

    @Test("comes back as it was", arguments: all)
    func roundTrip(contents: SnapshotContents) throws {
        #expect(try decode(encoded(contents)) == contents)
    }

    @Test("is laid out as its documentation says")
    func layout() throws {
        let bytes = try encoded(SnapshotContents(identifier: Self.identifier, memorySize: 1 << 20,
                                                 sections: [SnapshotSection(.clock, Array("123456789".utf8))]))
        #expect(bytes.count == 65 + 9)
        #expect(Array(bytes[..<8]) == Array("SVMMSNAP".utf8))
        #expect(bytes.get(UInt32.self, at: 8) == 1 && bytes.get(UInt32.self, at: 12) == 65)
        #expect(Array(bytes[16..<32]) == Array(1...16))
        #expect(bytes.get(UInt64.self, at: 32) == 1 << 20 && bytes[40] == 0)
        #expect(bytes.get(UInt32.self, at: 41) == 1 && bytes.get(UInt32.self, at: 45) == 8)
        #expect(bytes.get(UInt64.self, at: 49) == 9 && bytes.get(UInt32.self, at: 57) == 0xE306_9283)
        #expect(bytes.get(UInt32.self, at: 61) == CRC32C.checksum(bytes[..<61]))
        #expect(Array(bytes[65...]) == Array("123456789".utf8))
    }

    @Test("any bit that is turned over is found", arguments: all)
    func bitFlips(contents: SnapshotContents) throws {
        var bytes = try encoded(contents)
        for bit in 0..<(8 * bytes.count) {
            bytes[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(throws: SnapshotError.self, "bit \(bit)") { try decode(bytes) }
            bytes[bit / 8] ^= 1 << UInt8(bit % 8)
        }
    }

    @Test("cut off anywhere, it is refused, and so is anything behind its end", arguments: all)
    func truncation(contents: SnapshotContents) throws {
        let bytes = try encoded(contents)
        for count in 0..<bytes.count {
            let error = #expect(throws: SnapshotError.self) { try decode(Array(bytes[..<count])) }
            guard case .truncated(_, _, let found, let expected) = error else {
                Issue.record("\(count) bytes: \(String(describing: error))")
                continue
            }
            #expect(found == UInt64(count) && expected > found && expected <= UInt64(bytes.count))
        }
        #expect(throws: SnapshotError.trailingBytes(path: "F", found: UInt64(bytes.count + 1), expected: UInt64(bytes.count))) {
            try decode(bytes + [0])
        }
    }

    @Test("of another program or version, it is refused as such")
    func version() throws {
        var bytes = try encoded(Self.plain)
        #expect(throws: SnapshotError.magic(path: "F")) { try decode(Array("#!/bin/sh\nexit 0\nexit 0\nexit 0".utf8)) }
        #expect(throws: SnapshotError.magic(path: "F")) { try decode(Array("x".utf8)) }
        bytes.put(2 as UInt32, at: 8)
        #expect(throws: SnapshotError.version(path: "F", found: 2, expected: 1)) { try decode(bytes) }
        // Whatever else the other version may have.
        #expect(throws: SnapshotError.version(path: "F", found: 7, expected: 1)) {
            try decode(SnapshotContents.sealed([1, 2, 3], version: 7))
        }
    }

    @Test("a header's length that cannot be is refused before anything is read by it", arguments: [
        (0, .invalid(path: "F", .header, "0 bytes long, expected at least 20")),
        (19, .invalid(path: "F", .header, "19 bytes long, expected at least 20")),
        (100_000, .truncated(path: "F", .header, found: 100, expected: 100_000)),
        (131_073, .tooLong(path: "F", .header, found: 131_073, limit: 131_072)),
        (.max, .tooLong(path: "F", .header, found: 0xFFFF_FFFF, limit: 131_072)),
    ] as [(UInt32, SnapshotError)])
    func headerLength(length: UInt32, error: SnapshotError) {
        var bytes = Array("SVMMSNAP".utf8) + [UInt8](repeating: 0, count: 92)
        bytes.put(1 as UInt32, at: 8)
        bytes.put(length, at: 12)
        #expect(throws: error) { try decode(bytes) }
    }

    /// A header whose checksum is right, whatever it says.
    private func forged(
        memory: UInt64 = 1 << 20, base: [UInt8] = [0], count: UInt32? = nil, kind: SectionKind = .clock, _ lengths: [UInt64]
    ) -> [UInt8] {
        var encoder = WireEncoder()
        for byte in Self.identifier.bytes { encoder.encode(byte) }
        encoder.encode(memory)
        for byte in base { encoder.encode(byte) }
        encoder.encode(count ?? UInt32(lengths.count))
        for length in lengths {
            encoder.encode(kind.rawValue)
            encoder.encode(length)
            encoder.encode(0 as UInt32)
        }
        return SnapshotContents.sealed(encoder.bytes)
    }

    @Test("a section longer than is allowed, or than the file, is refused with its name", arguments: [
        ([64 << 20 | 1], .tooLong(path: "F", .section(0, .clock), found: 64 << 20 | 1, limit: 64 << 20)),
        ([.max], .tooLong(path: "F", .section(0, .clock), found: .max, limit: 64 << 20)),
        ([1 << 63], .tooLong(path: "F", .section(0, .clock), found: 1 << 63, limit: 64 << 20)),
        ([0, 1], .truncated(path: "F", .section(1, .clock), found: 81, expected: 82)),
        ([64 << 20, 64 << 20], .truncated(path: "F", .section(0, .clock), found: 81, expected: 81 + 64 << 20)),
    ] as [([UInt64], SnapshotError)])
    func lengths(lengths: [UInt64], error: SnapshotError) {
        #expect(throws: error) { try decode(forged(lengths)) }
    }

    @Test("4096 sections are read, and a count that is larger, or not there, is refused")
    func counts() throws {
        let many = [UInt64](repeating: 0, count: 4096)
        #expect(try decode(forged(many)).sections.count == 4096)
        for count in [4097, .max] as [UInt32] {
            #expect(throws: SnapshotError.invalid(path: "F", .header, "\(count) at byte 41, expected at most 4096")) {
                try decode(forged(count: count, many))
            }
        }
        #expect(throws: SnapshotError.self) { try decode(forged(count: 3, [0, 0])) }
        #expect(throws: SnapshotError.self) { try decode(forged(count: 1, [0, 0])) }
    }

    @Test("RAM that no machine has is refused", arguments: [0, 4096, 1 << 20 | 1, 64 << 30 | 4096, .max] as [UInt64])
    func memorySizes(size: UInt64) {
        #expect(throws: SnapshotError.self) { try decode(forged(memory: size, [])) }
    }

    @Test("a base has an absolute path of UTF-8, and a map of pages that fits the RAM")
    func bases() throws {
        func base(_ path: [UInt8]) -> [UInt8] { [1, UInt8(path.count), 0, 0, 0] + path + Self.base.identifier.bytes }
        let cases: [([UInt8], SnapshotError)] = [
            ([2], .invalid(path: "F", .header, "2 at byte 40, expected 0 or 1")),
            (base([0x2F, 0xFF]), .invalid(path: "F", .header, "text at byte 41 that is not UTF-8, expected a path")),
            (base([]), .invalid(path: "F", .header, "the base's path is not absolute, expected one that is")),
            (base(Array("a/b".utf8)), .invalid(path: "F", .header, "the base's path is not absolute, expected one that is")),
            (base(Array("/b".utf8)), .missingSection(path: "F", .pages)),
        ]
        for (base, error) in cases { #expect(throws: error) { try decode(forged(base: base, [])) } }
        // Too few pages, and two maps, and one without a base.
        let wrong = SnapshotContents(identifier: Self.identifier, memorySize: 1 << 20,
                                     difference: (Self.base, PageBitmap(pageCount: 248)), sections: [])
        let error = SnapshotError.invalid(path: "F", .section(0, .pages), "31 bytes, expected a bit for each of 256 pages")
        #expect(throws: error) { try decode(encoded(wrong)) }
        let twice = "one of 2, expected one"
        #expect(throws: SnapshotError.invalid(path: "F", .section(1, .pages), twice)) {
            try decode(forged(base: base(Array("/b".utf8)), kind: .pages, [0, 0]))
        }
        let alone = "of a snapshot without a base, expected none"
        #expect(throws: SnapshotError.invalid(path: "F", .section(0, .pages), alone)) { try decode(forged(kind: .pages, [0])) }
    }

    @Test("what could not be read is not written")
    func writing() throws {
        func contents(_ sections: [SnapshotSection]) -> SnapshotContents {
            SnapshotContents(identifier: Self.identifier, memorySize: 1 << 20, sections: sections)
        }
        let long = SnapshotSection(.device, [UInt8](repeating: 0, count: 64 << 20 | 1))
        #expect(throws: SnapshotError.tooLong(path: "F", .section(1, .device), found: 64 << 20 | 1, limit: 64 << 20)) {
            try encoded(contents([SnapshotSection(.clock, []), long]))
        }
        #expect(throws: SnapshotError.tooManySections(path: "F", found: 4097, limit: 4096)) {
            try encoded(contents([SnapshotSection](repeating: SnapshotSection(.clock, []), count: 4097)))
        }
        let four = [SnapshotSection](repeating: SnapshotSection(.device, [UInt8](repeating: 0, count: 64 << 20)), count: 4)
        #expect(throws: SnapshotError.fileTooLong(path: "F", found: 256 << 20 + 128 << 10, limit: 256 << 20)) {
            try encoded(contents(four))
        }
        #expect(throws: SnapshotError.self) { try encoded(contents([SnapshotSection(.pages, [])])) }
        let deep = SnapshotBase(path: String(repeating: "/", count: 4096), identifier: Self.identifier)
        #expect(throws: SnapshotError.tooLong(path: "F", .header, found: 4096, limit: 4095)) {
            try encoded(SnapshotContents(identifier: Self.identifier, memorySize: 1 << 20,
                                         difference: (deep, PageBitmap(pageCount: 256)), sections: []))
        }
    }
}
