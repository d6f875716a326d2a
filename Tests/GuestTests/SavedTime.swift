import LinuxSystem

/// The time at which a snapshot was made, in its file `state`. `SnapshotContents` of the module Snapshot has the format.
enum SavedTime {
    /// Makes it earlier by so many seconds: the machine then finds that it was away for as much longer. Of a snapshot without a base.
    static func setBack(_ directory: String, seconds: UInt64) throws {
        let path = directory + "/state"
        guard var bytes = contents(ofSmallFile: path, limit: 1 << 26), bytes.count > tableStart, bytes[40] == 0 else {
            throw SnapshotFailure("\(path): no state of a snapshot without a base")
        }
        let headerLength = Int(integer(bytes, at: 12, count: 4))
        var entry = tableStart
        var offset = headerLength
        // Kind, length, checksum.
        while integer(bytes, at: entry, count: 4) != hostSection {
            offset += Int(integer(bytes, at: entry + 4, count: 8))
            entry += 16
            guard entry + 16 < headerLength else { throw SnapshotFailure("\(path): no section about the host") }
        }
        let section = offset..<(offset + Int(integer(bytes, at: entry + 4, count: 8)))
        // It begins with nanoseconds since 1970.
        put(integer(bytes, at: offset, count: 8) - seconds * 1_000_000_000, count: 8, into: &bytes, at: offset)
        put(UInt64(checksum(bytes[section])), count: 4, into: &bytes, at: entry + 12)
        put(UInt64(checksum(bytes[..<(headerLength - 4)])), count: 4, into: &bytes, at: headerLength - 4)
        try replaceFile(path, with: bytes, permissions: 0o600)
    }

    /// Of the table of sections: behind magic, version, length, identifier, size of the memory, absence of a base, count.
    private static let tableStart = 8 + 4 + 4 + 16 + 8 + 1 + 4
    private static let hostSection: UInt64 = 2

    private static func integer(_ bytes: [UInt8], at offset: Int, count: Int) -> UInt64 {
        bytes[offset..<(offset + count)].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    private static func put(_ value: UInt64, count: Int, into bytes: inout [UInt8], at offset: Int) {
        for index in 0..<count { bytes[offset + index] = UInt8(truncatingIfNeeded: value >> UInt64(8 * index)) }
    }

    /// CRC-32C.
    private static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt32 {
        var sum = UInt32.max
        for byte in bytes {
            sum ^= UInt32(byte)
            for _ in 0..<8 { sum = sum & 1 == 0 ? sum >> 1 : (sum >> 1) ^ 0x82F6_3B78 }
        }
        return ~sum
    }
}
