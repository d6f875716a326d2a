/// Reads little-endian fields of a file's first bytes, without trusting any offset.
struct ByteReader {
    let bytes: [UInt8]

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// nil when the field does not lie within the bytes.
    func field<Value: FixedWidthInteger>(_ type: Value.Type, at offset: Int) -> Value? {
        let size = Value.bitWidth / 8
        guard offset >= 0, size <= bytes.count, offset <= bytes.count - size else { return nil }
        var value: Value = 0
        for index in 0..<size {
            value |= Value(truncatingIfNeeded: bytes[offset + index]) << Value(8 * index)
        }
        return value
    }

    func starts(with prefix: [UInt8], at offset: Int = 0) -> Bool {
        guard offset <= bytes.count else { return false }
        return bytes[offset...].starts(with: prefix)
    }
}

extension UInt64 {
    /// The next multiple of a power of two, or nil past the end of the address space.
    func aligned(to alignment: UInt64) -> UInt64? {
        let (sum, overflow) = addingReportingOverflow(alignment - 1)
        return overflow ? nil : sum & ~(alignment - 1)
    }

    /// The sum, or nil when it does not fit.
    func adding(_ other: UInt64) -> UInt64? {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? nil : sum
    }
}
