import Testing
import TestSupport
import Wire

@Suite("Wire codec")
struct CodecTests {
    @Test("integers of every width come back, at their extremes too")
    func integers() throws {
        try roundTrip([UInt8.min, 1, .max])
        try roundTrip([Int8.min, -1, 0, .max])
        try roundTrip([UInt16.min, 0x1234, .max])
        try roundTrip([Int16.min, -2, .max])
        try roundTrip([UInt32.min, 0x1234_5678, .max])
        try roundTrip([Int32.min, -3, .max])
        try roundTrip([UInt64.min, 0x1234_5678_9ABC_DEF0, .max])
        try roundTrip([Int64.min, -4, .max])
    }

    private func roundTrip<Value: FixedWidthInteger & Sendable>(_ values: [Value]) throws {
        for value in values {
            var encoder = WireEncoder()
            encoder.encode(value)
            #expect(encoder.bytes.count == Value.bitWidth / 8)
            var decoder = WireDecoder(encoder.bytes)
            #expect(try decoder.decode(Value.self) == value)
            try decoder.finish()
        }
    }

    @Test("integers are little-endian")
    func order() {
        var encoder = WireEncoder()
        encoder.encode(0x0102_0304 as UInt32)
        #expect(encoder.bytes == [4, 3, 2, 1])
    }

    @Test("strings, byte strings, optionals and arrays come back")
    func composites() throws {
        var encoder = WireEncoder()
        encoder.encode("zwölf 🐧")
        encoder.encode("")
        encoder.encode([0, 255, 1] as [UInt8])
        encoder.encode(true)
        encoder.encode(7 as UInt16?) { $0.encode($1) }
        encoder.encode(nil as UInt16?) { $0.encode($1) }
        encoder.encode(["a", "bc"]) { $0.encode($1) }
        var decoder = WireDecoder(encoder.bytes)
        #expect(try decoder.decodeString(limit: 11) == "zwölf 🐧")
        #expect(try decoder.decodeString(limit: 0) == "")
        #expect(try decoder.decodeBytes(limit: 3) == [0, 255, 1])
        #expect(try decoder.decode(Bool.self))
        #expect(try decoder.decodeOptional { (decoder) throws(WireError) in try decoder.decode(UInt16.self) } == 7)
        #expect(try decoder.decodeOptional { (decoder) throws(WireError) in try decoder.decode(UInt16.self) } == nil)
        #expect(try decoder.decodeArray(limit: 2) { (decoder) throws(WireError) in try decoder.decodeString(limit: 2) }
            == ["a", "bc"])
        try decoder.finish()
    }

    @Test("a value that is cut short is refused, and the decoder stays where it was")
    func truncatedInteger() {
        for count in 0..<8 {
            var decoder = WireDecoder([UInt8](repeating: 1, count: count))
            #expect(throws: WireError.truncated(offset: 0)) { try decoder.decode(UInt64.self) }
            #expect(decoder.offset == 0)
        }
    }

    @Test("a length past the limit is refused before anything is read",
          arguments: [4, 5, 0x7FFF_FFFF, .max] as [UInt32])
    func tooLong(length: UInt32) {
        var encoder = WireEncoder()
        encoder.encode(length)
        var bytes = WireDecoder(encoder.bytes + [1, 2, 3, 4, 5])
        let error = WireError.tooLong(offset: 0, found: UInt64(length), limit: 3)
        #expect(throws: error) { try bytes.decodeBytes(limit: 3) }
        var array = WireDecoder(encoder.bytes + [1, 2, 3, 4, 5])
        #expect(throws: error) {
            try array.decodeArray(limit: 3) { (decoder) throws(WireError) in try decoder.decode(UInt8.self) }
        }
    }

    @Test("a length that the message does not pay for is refused")
    func unpaid() {
        var encoder = WireEncoder()
        encoder.encode(UInt32.max)
        var bytes = WireDecoder(encoder.bytes)
        #expect(throws: WireError.truncated(offset: 0)) { try bytes.decodeBytes(limit: .max) }
        var array = WireDecoder(encoder.bytes)
        #expect(throws: WireError.truncated(offset: 4)) {
            try array.decodeArray(limit: .max) { (decoder) throws(WireError) in try decoder.decode(UInt8.self) }
        }
    }

    @Test("a flag is 0 or 1", arguments: 2...255 as ClosedRange<UInt8>)
    func flag(value: UInt8) {
        var decoder = WireDecoder([value])
        #expect(throws: WireError.invalidValue(offset: 0, found: UInt64(value))) { try decoder.decode(Bool.self) }
    }

    @Test("text that is not UTF-8 is refused", arguments: [
        [0xFF], [0xC3], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0x61, 0x80],
    ] as [[UInt8]])
    func invalidText(bytes: [UInt8]) {
        var encoder = WireEncoder()
        encoder.encode(bytes)
        var decoder = WireDecoder(encoder.bytes)
        #expect(throws: WireError.invalidText(offset: 0)) { try decoder.decodeString(limit: 10) }
    }

    @Test("bytes after the last field are refused")
    func trailing() throws {
        var decoder = WireDecoder([1, 2])
        _ = try decoder.decode(UInt8.self)
        #expect(throws: WireError.trailingBytes(offset: 1)) { try decoder.finish() }
    }
}
