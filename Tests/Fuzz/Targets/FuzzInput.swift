import NinePSupport

/// The bytes of an input, as a list of choices. Past the end every choice is the first one: so an input that is cut short does the
/// beginning of what it did, and changing a byte changes one choice, which is what makes a fuzzer's mutations worth something.
public struct FuzzInput: ChoiceSource {
    private let bytes: [UInt8]
    private var offset = 0

    public init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    var isEmpty: Bool { offset >= bytes.count }

    mutating func byte() -> UInt8 {
        guard offset < bytes.count else { return 0 }
        defer { offset += 1 }
        return bytes[offset]
    }

    /// Little-endian.
    mutating func integer<Value: FixedWidthInteger>(_ type: Value.Type = Value.self) -> Value {
        var value: Value = 0
        for index in 0..<(Value.bitWidth / 8) { value |= Value(truncatingIfNeeded: byte()) << Value(8 * index) }
        return value
    }

    /// Below `bound`, which is at least 1.
    public mutating func below(_ bound: Int) -> Int {
        bound <= 256 ? Int(byte()) % bound : Int(integer(UInt32.self)) % bound
    }

    /// True once in `count` times, for bytes that are random; never past the end.
    mutating func once(in count: Int) -> Bool {
        below(count) == count - 1
    }

    /// As many of the next bytes as there are.
    public mutating func bytes(_ count: Int) -> [UInt8] {
        take(count)
    }

    /// Some of the next bytes, at most as many.
    mutating func some(_ limit: Int) -> [UInt8] {
        take(below(limit + 1))
    }

    mutating func take(_ count: Int) -> [UInt8] {
        let end = min(bytes.count, offset + count)
        defer { offset = end }
        return Array(bytes[offset..<end])
    }

    /// All that is left.
    public mutating func rest() -> [UInt8] {
        take(bytes.count)
    }

    /// A number of that width: mostly one at which something changes.
    mutating func number<Value: FixedWidthInteger & UnsignedInteger>(_ type: Value.Type = Value.self) -> Value {
        let choice = byte()
        if choice < 100 { return Value(truncatingIfNeeded: choice) }
        if choice < 180 {
            let shift = Int(choice) % Value.bitWidth
            let bit: Value = 1 << Value(shift)
            return bit &+ Value(truncatingIfNeeded: below(3)) &- 1
        }
        guard choice < 220 else { return integer(type) }
        let half: Value = .max >> 1
        let edges: [Value] = [.max, .max - 1, half, half + 1, 0]
        return pick(edges)
    }
}
