import GuestMemory
import TestSupport

/// Writes descriptors that are right, nearly right or wrong: loops, chains that name themselves, indirect tables in indirect tables,
/// buffers of no bytes, across the end of a region of RAM, past the end of all of it.
enum ChainGenerator {
    /// A chain in the ring's table; returns its head.
    static func chain(_ input: inout FuzzInput, _ ring: MockDriver) throws -> UInt16 {
        let size = Int(ring.size)
        let head = UInt16(input.below(size))
        if input.once(in: 32) { return input.integer() }
        var index = head
        for _ in 0..<input.below(6) {
            let next = UInt16((Int(index) + 1) % size)
            try descriptor(&input, ring, index, next, table: nil, flags: MockDriver.next)
            index = next
        }
        if input.once(in: 3) {
            try indirect(&input, ring, index, depth: 0)
        } else {
            let loops = input.once(in: 8)
            try descriptor(&input, ring, index, loops ? input.pick([head, index]) : 0, table: nil,
                           flags: loops ? MockDriver.next : 0)
        }
        return head
    }

    private static func indirect(_ input: inout FuzzInput, _ ring: MockDriver, _ index: UInt16, depth: UInt64) throws {
        let table = input.once(in: 16) ? RegisterAccess.address(&input) : Bench.tables + 0x8_0000 + 0x4000 * depth
        let count = input.once(in: 8) ? Int(input.number(UInt16.self)) : 1 + input.below(8)
        let bytes = UInt32(16 * count + (input.once(in: 16) ? input.below(16) : 0))
        try ring.put(index, address: table, count: bytes, flags: MockDriver.indirect | (input.once(in: 16) ? MockDriver.next : 0))
        let written = min(count, 9)
        for entry in 0..<written where (try? ring.memory.slice(at: table, count: 16 * 9)) != nil {
            let isLast = entry == written - 1
            if isLast, depth < 2, input.once(in: 12) {
                try nested(&input, ring, UInt16(entry), table: table, depth: depth)
                continue
            }
            let next = input.once(in: 16) ? input.integer(UInt16.self) : UInt16(entry + 1)
            try descriptor(&input, ring, UInt16(entry), next, table: table,
                           flags: isLast && !input.once(in: 16) ? 0 : MockDriver.next)
        }
    }

    /// What virtio forbids: a table in a table.
    private static func nested(
        _ input: inout FuzzInput, _ ring: MockDriver, _ entry: UInt16, table: GuestAddress, depth: UInt64
    ) throws {
        let inner = input.once(in: 2) ? table : Bench.tables + 0x8_0000 + 0x4000 * (depth + 1)
        try ring.put(entry, address: inner, count: UInt32(16 * (1 + input.below(4))), flags: MockDriver.indirect, table: table)
    }

    private static func descriptor(
        _ input: inout FuzzInput, _ ring: MockDriver, _ index: UInt16, _ next: UInt16, table: GuestAddress?, flags: UInt16
    ) throws {
        let isPlain = !input.once(in: 4)
        let address = isPlain ? Bench.data + UInt64(input.below(Bench.dataCount)) : RegisterAccess.address(&input)
        let count = isPlain ? UInt32(input.below(0x2000)) : input.number(UInt32.self)
        let direction = input.once(in: 3) ? MockDriver.write : 0
        try ring.put(index, address: address, count: count, flags: flags | direction, next: next, table: table)
    }

    /// Descriptors and heads at random, all over the ring.
    static func scribble(_ input: inout FuzzInput, _ ring: MockDriver) throws {
        for _ in 0..<input.below(6) {
            let index = UInt16(input.below(Int(ring.size)))
            try ring.put(index, address: RegisterAccess.address(&input), count: input.number(), flags: UInt16(input.below(8)),
                         next: input.once(in: 8) ? input.integer() : UInt16(input.below(Int(ring.size))))
        }
        try ring.memory.write(UInt16(input.below(Int(ring.size) + 1)),
                              at: ring.availableRing + 4 + 2 * UInt64(input.below(Int(ring.size))))
    }
}
