/// Random numbers that are the same at every run: Sebastiano Vigna's SplitMix64. Tests print the seed when they fail.
public struct Random: ChoiceSource {
    private var state: UInt64

    public init(seed: UInt64) {
        state = seed
    }

    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }

    /// Below `bound`, which is at least 1.
    public mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }

    public mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) } }
}

/// What decides what a random session does: numbers from a seed, or bytes from a fuzzer.
public protocol ChoiceSource {
    /// Below `bound`, which is at least 1.
    mutating func below(_ bound: Int) -> Int
    /// At most so many.
    mutating func bytes(_ count: Int) -> [UInt8]
}

extension ChoiceSource {
    public mutating func pick<Value>(_ values: [Value]) -> Value { values[below(values.count)] }
}
