import Wire

extension SnapshotContents {
    /// The bytes of the file. Throws what a reader would refuse: too many sections, or too long.
    ///
    /// - Parameter file: the file's path, for messages.
    func encoded(file: String) throws(SnapshotError) -> [UInt8] {
        var sections = sections
        if let index = sections.firstIndex(where: { $0.kind == .pages }) {
            throw .invalid(path: file, .section(index, .pages), "given by the machine, expected none")
        }
        if let pages { sections.append(SnapshotSection(.pages, pages.bytes)) }
        guard sections.count <= Self.sectionCountLimit else {
            throw .tooManySections(path: file, found: UInt64(sections.count), limit: UInt64(Self.sectionCountLimit))
        }
        for (index, section) in sections.enumerated() where section.bytes.count > Self.sectionLimit {
            throw .tooLong(path: file, .section(index, section.kind), found: UInt64(section.bytes.count),
                           limit: UInt64(Self.sectionLimit))
        }
        if let base, base.path.utf8.count > SnapshotBase.pathLimit {
            throw .tooLong(path: file, .header, found: UInt64(base.path.utf8.count), limit: UInt64(SnapshotBase.pathLimit))
        }

        let sum = sections.reduce(0) { $0 + $1.bytes.count }
        // What the header takes is not worth counting.
        guard sum <= Self.fileLimit - Self.headerLimit else {
            throw .fileTooLong(path: file, found: UInt64(sum + Self.headerLimit), limit: UInt64(Self.fileLimit))
        }
        var bytes = header(sections)
        bytes.reserveCapacity(bytes.count + sum)
        for section in sections { bytes += section.bytes }
        return bytes
    }

    private func header(_ sections: [SnapshotSection]) -> [UInt8] {
        var encoder = WireEncoder()
        for byte in identifier.bytes { encoder.encode(byte) }
        encoder.encode(memorySize)
        encoder.encode(base) { encoder, base in
            encoder.encode(base.path)
            for byte in base.identifier.bytes { encoder.encode(byte) }
        }
        encoder.encode(sections) { encoder, section in
            encoder.encode(section.kind.rawValue)
            encoder.encode(UInt64(section.bytes.count))
            encoder.encode(CRC32C.checksum(section.bytes))
        }
        return Self.sealed(encoder.bytes)
    }

    /// The header with these fields: magic, version and length before them, the checksum behind.
    static func sealed(_ fields: [UInt8], version: UInt32 = Self.version) -> [UInt8] {
        var prefix = WireEncoder()
        for byte in magic { prefix.encode(byte) }
        prefix.encode(version)
        prefix.encode(UInt32(prefixLength + fields.count + 4))
        let bytes = prefix.bytes + fields
        var checksum = WireEncoder()
        checksum.encode(CRC32C.checksum(bytes))
        return bytes + checksum.bytes
    }
}
