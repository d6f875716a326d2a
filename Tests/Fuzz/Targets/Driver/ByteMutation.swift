import TestSupport

/// Damage to bytes, as an input says.
enum ByteMutation {
    static func mutate(_ bytes: inout [UInt8], _ input: inout FuzzInput) {
        for _ in 0...input.below(4) { step(&bytes, &input) }
    }

    private static func step(_ bytes: inout [UInt8], _ input: inout FuzzInput) {
        guard !bytes.isEmpty else { return bytes = input.some(100) }
        let place = input.below(bytes.count)
        switch input.below(8) {
        case 0: bytes[place] ^= 1 << UInt8(input.below(8))
        case 1: bytes[place] = input.pick([0, 1, 0x7F, 0x80, 0xFF])
        case 2: bytes.removeSubrange(place..<min(bytes.count, place + input.below(20)))
        case 3: bytes.insert(contentsOf: input.some(20), at: place)
        case 4: bytes = Array(bytes[..<place])
        case 5 where bytes.count >= 8: bytes.put(input.number(UInt64.self), at: min(place, bytes.count - 8))
        case 6 where bytes.count >= 4: bytes.put(input.number(UInt32.self), at: min(place, bytes.count - 4))
        default: bytes[place] = input.byte()
        }
    }
}
