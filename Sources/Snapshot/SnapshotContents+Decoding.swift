import GuestMemory
import Wire

extension SnapshotContents {
    /// Decodes the bytes of a file `state`. No input makes it trap, and what it allocates the input pays for.
    ///
    /// - Parameter file: the file's path, for messages.
    public init(decoding bytes: [UInt8], file: String) throws(SnapshotError) {
        let header = try Self.checkedHeader(bytes, file)
        let fields: Fields
        do throws(WireError) {
            fields = try Fields(decoding: Array(bytes[Self.prefixLength..<(header.count - 4)]))
        } catch {
            throw Self.headerError(error, file)
        }
        guard RAMLayout(size: fields.memorySize) != nil else {
            throw .invalid(path: file, .header, "\(fields.memorySize) bytes of RAM, expected whole pages, 1 MiB to 64 GiB")
        }
        if let base = fields.base, !base.path.utf8.starts(with: "/".utf8) {
            throw .invalid(path: file, .header, "the base's path is not absolute, expected one that is")
        }
        var sections = try Self.sections(bytes, from: header.count, fields.table, file)
        let pages = try Self.pages(&sections, isDifference: fields.base != nil, fields.memorySize, file)

        identifier = fields.identifier
        memorySize = fields.memorySize
        base = fields.base
        self.sections = sections
        self.pages = pages
    }

    private struct Entry {
        let kind: SectionKind
        let length: UInt64
        let checksum: UInt32
    }

    private struct Fields {
        let identifier: SnapshotIdentifier
        let memorySize: UInt64
        let base: SnapshotBase?
        let table: [Entry]

        init(decoding bytes: [UInt8]) throws(WireError) {
            var decoder = WireDecoder(bytes)
            identifier = try Self.identifier(&decoder)
            memorySize = try decoder.decode(UInt64.self)
            base = try decoder.decodeOptional { (decoder) throws(WireError) in
                let path = try decoder.decodeString(limit: SnapshotBase.pathLimit)
                return SnapshotBase(path: path, identifier: try Self.identifier(&decoder))
            }
            table = try decoder.decodeArray(limit: SnapshotContents.sectionCountLimit) { (decoder) throws(WireError) in
                Entry(kind: SectionKind(rawValue: try decoder.decode(UInt32.self)),
                      length: try decoder.decode(UInt64.self), checksum: try decoder.decode(UInt32.self))
            }
            try decoder.finish()
        }

        private static func identifier(_ decoder: inout WireDecoder) throws(WireError) -> SnapshotIdentifier {
            let start = decoder.offset
            var bytes: [UInt8] = []
            for _ in 0..<SnapshotIdentifier.count { bytes.append(try decoder.decode(UInt8.self)) }
            guard let identifier = SnapshotIdentifier(bytes) else { throw .truncated(offset: start) }
            return identifier
        }
    }

    /// The header, whose beginning and checksum are right.
    private static func checkedHeader(_ bytes: [UInt8], _ file: String) throws(SnapshotError) -> ArraySlice<UInt8> {
        let size = UInt64(bytes.count)
        guard bytes.count <= fileLimit else { throw .fileTooLong(path: file, found: size, limit: UInt64(fileLimit)) }
        guard bytes.prefix(magic.count).elementsEqual(magic.prefix(bytes.count)) else { throw .magic(path: file) }
        let least = prefixLength + 4
        guard bytes.count >= least else {
            throw .truncated(path: file, .header, found: size, expected: UInt64(least))
        }
        let found = integer(bytes, at: 8)
        guard found == version else { throw .version(path: file, found: found, expected: version) }
        let length = Int(integer(bytes, at: 12))
        guard length >= least else {
            throw .invalid(path: file, .header, "\(length) bytes long, expected at least \(least)")
        }
        guard length <= headerLimit else {
            throw .tooLong(path: file, .header, found: UInt64(length), limit: UInt64(headerLimit))
        }
        guard length <= bytes.count else {
            throw .truncated(path: file, .header, found: size, expected: UInt64(length))
        }
        let (actual, expected) = (CRC32C.checksum(bytes[..<(length - 4)]), integer(bytes, at: length - 4))
        guard actual == expected else { throw .checksum(path: file, .header, found: actual, expected: expected) }
        return bytes[..<length]
    }

    /// The bytes are there.
    private static func integer(_ bytes: [UInt8], at offset: Int) -> UInt32 {
        (0..<4).reduce(0) { $0 | UInt32(bytes[offset + $1]) << UInt32(8 * $1) }
    }

    /// For a header whose checksum is right: somebody has made it so, or a fault in what wrote it.
    private static func headerError(_ error: WireError, _ file: String) -> SnapshotError {
        func at(_ offset: Int) -> String { "at byte \(prefixLength + offset)" }
        switch error {
        case .truncated(let offset):
            return .invalid(path: file, .header, "it ends inside the field \(at(offset)), expected all of it")
        case .tooLong(let offset, let found, let limit):
            return .invalid(path: file, .header, "\(found) \(at(offset)), expected at most \(limit)")
        case .invalidValue(let offset, let found):
            return .invalid(path: file, .header, "\(found) \(at(offset)), expected 0 or 1")
        case .invalidText(let offset):
            return .invalid(path: file, .header, "text \(at(offset)) that is not UTF-8, expected a path")
        case .trailingBytes(let offset):
            return .invalid(path: file, .header, "more fields \(at(offset)), expected its end")
        }
    }

    private static func sections(
        _ bytes: [UInt8], from start: Int, _ table: [Entry], _ file: String
    ) throws(SnapshotError) -> [SnapshotSection] {
        let size = UInt64(bytes.count)
        // First all lengths, so that a file that is cut off is called that, whatever its last section has come to.
        var end = UInt64(start)
        for (index, entry) in table.enumerated() {
            let part = SnapshotPart.section(index, entry.kind)
            guard entry.length <= UInt64(sectionLimit) else {
                throw .tooLong(path: file, part, found: entry.length, limit: UInt64(sectionLimit))
            }
            // 4096 times 64 MiB do not overflow.
            end += entry.length
            guard end <= size else { throw .truncated(path: file, part, found: size, expected: end) }
        }
        guard end == size else { throw .trailingBytes(path: file, found: size, expected: end) }

        var sections: [SnapshotSection] = []
        var offset = start
        for (index, entry) in table.enumerated() {
            let contents = Array(bytes[offset..<(offset + Int(entry.length))])
            offset += contents.count
            let actual = CRC32C.checksum(contents)
            guard actual == entry.checksum else {
                throw .checksum(path: file, .section(index, entry.kind), found: actual, expected: entry.checksum)
            }
            sections.append(SnapshotSection(entry.kind, contents))
        }
        return sections
    }

    /// Takes the map of pages out of the sections: a difference has one, and nothing else has.
    private static func pages(
        _ sections: inout [SnapshotSection], isDifference: Bool, _ memorySize: UInt64, _ file: String
    ) throws(SnapshotError) -> PageBitmap? {
        let indices = sections.indices.filter { sections[$0].kind == .pages }
        guard let index = indices.first else {
            if isDifference { throw .missingSection(path: file, .pages) }
            return nil
        }
        let part = SnapshotPart.section(indices[indices.count - 1], .pages)
        guard isDifference else { throw .invalid(path: file, part, "of a snapshot without a base, expected none") }
        guard indices.count == 1 else { throw .invalid(path: file, part, "one of \(indices.count), expected one") }
        let count = pageCount(memorySize)
        guard let pages = PageBitmap(sections[index].bytes, pageCount: count) else {
            throw .invalid(path: file, part, "\(sections[index].bytes.count) bytes, expected a bit for each of \(count) pages")
        }
        sections.remove(at: index)
        return pages
    }
}
