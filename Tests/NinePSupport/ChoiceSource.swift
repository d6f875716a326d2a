import TestSupport

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

extension SplitMix64: ChoiceSource {}
