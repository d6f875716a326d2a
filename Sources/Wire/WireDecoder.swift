/// Reads what `WireEncoder` wrote. Every length is checked before it is used; nothing is allocated that the message does
/// not pay for with its own bytes.
public struct WireDecoder: Sendable {
    private let bytes: [UInt8]
    public private(set) var offset = 0

    public init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    public mutating func decode<Value: FixedWidthInteger>(_ type: Value.Type) throws(WireError) -> Value {
        let count = Value.bitWidth / 8
        guard count <= bytes.count - offset else { throw .truncated(offset: offset) }
        var value: Value = 0
        for index in 0..<count {
            value |= Value(truncatingIfNeeded: bytes[offset + index]) << Value(8 * index)
        }
        offset += count
        return value
    }

    public mutating func decode(_ type: Bool.Type) throws(WireError) -> Bool {
        let start = offset
        switch try decode(UInt8.self) {
        case 0: return false
        case 1: return true
        case let other: throw .invalidValue(offset: start, found: UInt64(other))
        }
    }

    /// A byte string of at most `limit` bytes.
    public mutating func decodeBytes(limit: Int) throws(WireError) -> [UInt8] {
        let start = offset
        let count = Int(try decode(UInt32.self))
        guard count <= limit else { throw .tooLong(offset: start, found: UInt64(count), limit: UInt64(limit)) }
        guard count <= bytes.count - offset else { throw .truncated(offset: start) }
        defer { offset += count }
        return Array(bytes[offset..<(offset + count)])
    }

    /// UTF-8 text of at most `limit` bytes.
    public mutating func decodeString(limit: Int) throws(WireError) -> String {
        let start = offset
        let bytes = try decodeBytes(limit: limit)
        guard let text = String(validating: bytes, as: UTF8.self) else { throw .invalidText(offset: start) }
        return text
    }

    public mutating func decodeOptional<Value>(
        _ body: (inout WireDecoder) throws(WireError) -> Value
    ) throws(WireError) -> Value? {
        try decode(Bool.self) ? try body(&self) : nil
    }

    /// An array of at most `limit` elements.
    public mutating func decodeArray<Element>(
        limit: Int, _ body: (inout WireDecoder) throws(WireError) -> Element
    ) throws(WireError) -> [Element] {
        let start = offset
        let count = Int(try decode(UInt32.self))
        guard count <= limit else { throw .tooLong(offset: start, found: UInt64(count), limit: UInt64(limit)) }
        var elements: [Element] = []
        for _ in 0..<count { elements.append(try body(&self)) }
        return elements
    }

    /// One byte that is a value of an enumeration.
    public mutating func decodeChoice<Choice>(_ make: (UInt8) -> Choice?) throws(WireError) -> Choice {
        let start = offset
        let raw = try decode(UInt8.self)
        guard let choice = make(raw) else { throw .invalidValue(offset: start, found: UInt64(raw)) }
        return choice
    }

    /// Checks that nothing is left over.
    public func finish() throws(WireError) {
        guard offset == bytes.count else { throw .trailingBytes(offset: offset) }
    }
}
