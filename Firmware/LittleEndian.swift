extension [UInt8] {
    /// Appends `value` the way every table of this module stores integers.
    mutating func append<Value: FixedWidthInteger>(littleEndian value: Value) {
        var rest = value
        for _ in 0..<(Value.bitWidth / 8) {
            append(UInt8(truncatingIfNeeded: rest))
            rest >>= 8
        }
    }

    /// Appends `text`, which is ASCII, cut or filled with `padding` to `length` bytes.
    mutating func append(ascii text: StaticString, length: Int, padding: UInt8 = 0x20) {
        let bytes = text.withUTF8Buffer { [UInt8]($0.prefix(length)) }
        append(contentsOf: bytes)
        for _ in bytes.count..<length {
            append(padding)
        }
    }

    mutating func append(zeros count: Int) {
        append(contentsOf: repeatElement(0, count: count))
    }

    /// The byte that makes the sum of these bytes, this one included, zero modulo 256. It takes the place of a zero.
    var checksum: UInt8 {
        0 &- reduce(0, &+)
    }
}
