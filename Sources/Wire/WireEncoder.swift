/// Writes values one after the other: integers little-endian and of fixed size, byte strings with a 32-bit length before
/// them, optionals with a flag byte. No names, no padding; both sides know the order.
///
/// Made for messages between processes of one build, for the guest agent and for snapshots: no Foundation, no reflection.
public struct WireEncoder: Sendable {
    public private(set) var bytes: [UInt8] = []

    public init() {}

    public mutating func encode<Value: FixedWidthInteger>(_ value: Value) {
        for index in 0..<(Value.bitWidth / 8) {
            bytes.append(UInt8(truncatingIfNeeded: value >> Value(8 * index)))
        }
    }

    public mutating func encode(_ value: Bool) {
        encode(value ? 1 : 0 as UInt8)
    }

    public mutating func encode(_ value: [UInt8]) {
        encode(UInt32(value.count))
        bytes += value
    }

    public mutating func encode(_ value: String) {
        encode(Array(value.utf8))
    }

    /// A flag byte, then the value if there is one.
    public mutating func encode<Value>(_ value: Value?, _ body: (inout WireEncoder, Value) -> Void) {
        encode(value != nil)
        if let value { body(&self, value) }
    }

    /// A 32-bit count, then each element.
    public mutating func encode<Element>(_ values: [Element], _ body: (inout WireEncoder, Element) -> Void) {
        encode(UInt32(values.count))
        for value in values { body(&self, value) }
    }
}
