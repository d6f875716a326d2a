/// Reads the headers of tar archives: ustar, pax, GNU's long names and large numbers, and the old format.
///
/// It is given one block after the other, and says what comes next. Nothing that an archive holds is trusted; the caller keeps names
/// inside the directory that they belong to.
public struct TarReader: Sendable {
    public enum Step: Equatable, Sendable {
        /// A member; `size` bytes of contents and `Tar.padding` follow, then the next header.
        case entry(TarEntry)
        /// So many bytes, filled up to whole blocks, are for `take`; then the next header.
        case data(Int)
        /// Nothing comes of this block.
        case nothing
        /// The archive ends here.
        case end
    }

    public enum Failure: Error, Equatable, Sendable {
        case checksum
        case number
        case longExtension(UInt64)
        case badExtension
        case unknownType(UInt8)
        case noName

        public var text: String {
            switch self {
            case .checksum: "this is no tar archive: a header's checksum is wrong"
            case .number: "tar archive: a number in a header is none"
            case .longExtension(let size): "tar archive: an extended header of \(size) bytes, expected at most \(Tar.maximumExtension)"
            case .badExtension: "tar archive: an extended header that is none"
            case .unknownType(let type): "tar archive: a member of type \(type), which is not supported"
            case .noName: "tar archive: a member without a name"
            }
        }
    }

    private enum Expectation {
        case header
        case extended, global
        case longName, longTarget
    }

    private var expectation = Expectation.header
    private var name: [UInt8]?
    private var target: [UInt8]?
    private var records = PaxRecords()
    private var sawZeroBlock = false

    public init() {}

    /// The next block of 512 bytes, where a header belongs.
    public mutating func header(_ block: [UInt8]) throws(Failure) -> Step {
        guard block.count == Tar.blockSize else { throw .checksum }
        if block.allSatisfy({ $0 == 0 }) {
            defer { sawZeroBlock = true }
            return sawZeroBlock ? .end : .nothing
        }
        sawZeroBlock = false
        try Self.checkSum(block)
        let size = try Self.number(block[124..<136])
        switch block[156] {
        case UInt8(ascii: "x"): return try expect(.extended, size)
        case UInt8(ascii: "g"): return try expect(.global, size)
        case UInt8(ascii: "L"): return try expect(.longName, size)
        case UInt8(ascii: "K"): return try expect(.longTarget, size)
        default: return .entry(try entry(block, size))
        }
    }

    private mutating func expect(_ what: Expectation, _ size: UInt64) throws(Failure) -> Step {
        guard size <= UInt64(Tar.maximumExtension) else { throw .longExtension(size) }
        expectation = what
        return .data(Int(size))
    }

    /// What `data` asked for, without what fills up the last block.
    public mutating func take(_ bytes: [UInt8]) throws(Failure) {
        switch expectation {
        case .header: break
        case .extended: try records.add(bytes)
        // Global ones are comments in practice.
        case .global: break
        case .longName: name = Array(bytes.prefix { $0 != 0 })
        case .longTarget: target = Array(bytes.prefix { $0 != 0 })
        }
        expectation = .header
    }

    private mutating func entry(_ block: [UInt8], _ headerSize: UInt64) throws(Failure) -> TarEntry {
        defer {
            name = nil
            target = nil
            records = PaxRecords()
        }
        let name = records.path ?? name ?? Self.name(block)
        guard !name.isEmpty else { throw .noName }
        let target = records.linkPath ?? target ?? Self.string(block[157..<257])
        let major = UInt32(truncatingIfNeeded: try Self.number(block[329..<337]))
        let minor = UInt32(truncatingIfNeeded: try Self.number(block[337..<345]))
        let kind: TarEntry.Kind
        var size = records.size ?? headerSize
        switch block[156] {
        case 0, UInt8(ascii: "0"), UInt8(ascii: "7"):
            // The old format tells directories by the slash.
            kind = block[156] == 0 && name.last == UInt8(ascii: "/") ? .directory : .file
        case UInt8(ascii: "1"): kind = .hardLink(target)
        case UInt8(ascii: "2"): kind = .symbolicLink(target)
        case UInt8(ascii: "3"): kind = .characterDevice(major: major, minor: minor)
        case UInt8(ascii: "4"): kind = .blockDevice(major: major, minor: minor)
        case UInt8(ascii: "5"): kind = .directory
        case UInt8(ascii: "6"): kind = .fifo
        case let other: throw .unknownType(other)
        }
        // A link says how large its target is; only files have contents.
        if kind != .file { size = 0 }
        let seconds = try Self.number(block[136..<148])
        let time = records.time ?? (Int64(clamping: seconds), 0)
        let user = try Self.identifier(block[108..<116])
        let group = try Self.identifier(block[116..<124])
        return TarEntry(name: name, kind: kind, mode: UInt32(truncatingIfNeeded: try Self.number(block[100..<108])) & 0o7777,
                        user: records.user ?? user, group: records.group ?? group, size: size, time: time.0, nanoseconds: time.1,
                        attributes: records.attributes)
    }

    private static func checkSum(_ block: [UInt8]) throws(Failure) {
        var sum: UInt64 = 0
        for (index, byte) in block.enumerated() { sum += (148..<156).contains(index) ? 32 : UInt64(byte) }
        guard try number(block[148..<156]) == sum else { throw .checksum }
    }

    private static func name(_ block: [UInt8]) -> [UInt8] {
        let name = string(block[0..<100])
        // The old format and GNU's have something else where ustar has a prefix.
        guard block[257..<263].elementsEqual(Array("ustar\0".utf8)) else { return name }
        let prefix = string(block[345..<500])
        return prefix.isEmpty ? name : prefix + [UInt8(ascii: "/")] + name
    }

    private static func string(_ field: ArraySlice<UInt8>) -> [UInt8] {
        Array(field.prefix { $0 != 0 })
    }

    private static func identifier(_ field: ArraySlice<UInt8>) throws(Failure) -> UInt32 {
        UInt32(truncatingIfNeeded: try number(field))
    }

    /// Octal digits between spaces and zero bytes, nothing at all, or GNU's binary numbers, of which negative ones count as 0.
    private static func number(_ field: ArraySlice<UInt8>) throws(Failure) -> UInt64 {
        guard let first = field.first else { return 0 }
        if first & 0x80 != 0 {
            if first == 0xff { return 0 }
            var value = UInt64(first & 0x7f)
            for byte in field.dropFirst() {
                guard value >> 56 == 0 else { throw .number }
                value = value << 8 | UInt64(byte)
            }
            return value
        }
        var value: UInt64 = 0
        let digits = field.drop { $0 == UInt8(ascii: " ") }.prefix { $0 != 0 && $0 != UInt8(ascii: " ") }
        for byte in digits {
            guard (UInt8(ascii: "0")...UInt8(ascii: "7")).contains(byte) else { throw .number }
            value = value << 3 | UInt64(byte & 7)
        }
        return value
    }
}
