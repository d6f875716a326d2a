import GuestMemory
import TestSupport
import Virtio
import Wire

/// What an input has a driver do with a device: right things, wrong things, in any order.
struct DriverProgram {
    private var bench: Bench
    private var added: [UInt16]

    /// Runs it, and then checks that the device works after a reset.
    static func run(_ model: any DeviceModel, _ input: inout FuzzInput) throws {
        var program = DriverProgram(bench: try Bench(model))
        try program.run(&input)
    }

    private init(bench: Bench) {
        self.bench = bench
        added = bench.rings.map { _ in 0 }
    }

    private mutating func run(_ input: inout FuzzInput) throws {
        try start(&input)
        var left = 200
        while !input.isEmpty, left > 0 {
            left -= 1
            try step(&input)
            bench.checkIndices()
        }
        bench.model.settle()
        bench.checkIndices()
        try bench.start(features: 0)
        try bench.model.proveThatItWorks(bench)
        bench.checkIndices()
    }

    private mutating func start(_ input: inout FuzzInput) throws {
        // Event indices, indirect descriptors and the device's own features, or not.
        let features = input.pick([.max, 0, MMIO.eventIndex | MMIO.indirect, UInt64.max & ~MMIO.eventIndex, input.integer()])
        try bench.start(features: features)
        added = bench.rings.map { _ in 0 }
    }

    private mutating func step(_ input: inout FuzzInput) throws {
        let queue = input.below(bench.rings.count)
        let ring = bench.rings[queue]
        let choice = input.below(32)
        trace("step \(choice), queue \(queue), status \(bench.driver.status), used \(ring.usedIndex) of \(ring.availableIndex)")
        switch choice {
        case 0...9: try addRequest(&input, queue)
        case 10, 11: try addChain(&input, queue)
        case 12: try ChainGenerator.scribble(&input, ring)
            bench.isHonest = false
        case 13:
            ring.availableIndex = ring.availableIndex &+ input.pick([1, UInt16(ring.size), UInt16(ring.size) + 1, input.integer()])
            bench.isHonest = false
        case 14...18: bench.driver.kick(UInt32(input.once(in: 8) ? input.below(70) : queue))
        case 19: ring.usedEvent = input.number()
        case 20: ring.availableFlags = UInt16(input.below(4))
        case 21, 22: bench.model.settle()
        case 23, 24: try bench.model.hostEvent(&input)
        case 25:
            // Two queues may get the same rings, or one those that are in use already.
            RegisterAccess.perform(&input, on: bench.driver, queues: bench.rings)
            bench.isHonest = false
        case 26: RegisterAccess.configuration(&input, on: bench.driver)
        case 27: try start(&input)
        case 28: bench.driver.status = 0
        case 29: try saveAndRestore(&input)
        default:
            bench.driver.kick(UInt32(queue))
            bench.model.settle()
        }
    }

    /// A ring never has more than it has room for.
    private func hasRoom(_ queue: Int, for count: Int) -> Bool {
        let ring = bench.rings[queue]
        return Int(added[queue] &- ring.usedIndex) + count <= Int(ring.size) && added[queue] < 30_000
    }

    private mutating func addRequest(_ input: inout FuzzInput, _ queue: Int) throws {
        let buffers = try bench.model.request(&input, queue: queue, bench)
        let isIndirect = input.once(in: 4)
        try add(buffers, queue, isIndirect: isIndirect)
    }

    private mutating func add(_ buffers: [MockDriver.Buffer], _ queue: Int, isIndirect: Bool) throws {
        trace("\(isIndirect ? "indirect" : "direct") \(buffers)")
        guard !buffers.isEmpty, hasRoom(queue, for: isIndirect ? 1 : buffers.count) else { return }
        let ring = bench.rings[queue]
        if isIndirect {
            try ring.addIndirect(buffers, table: Bench.tables + 0x1000 * UInt64(queue * 16) + 0x1000 * UInt64(added[queue] % 16))
        } else {
            try ring.add(buffers)
        }
        // Descriptors, not chains, are what a ring runs out of.
        added[queue] &+= 1
        bench.driver.kick(UInt32(queue))
    }

    private mutating func addChain(_ input: inout FuzzInput, _ queue: Int) throws {
        let head = try ChainGenerator.chain(&input, bench.rings[queue])
        try bench.rings[queue].makeAvailable(head)
        bench.isHonest = false
        bench.driver.kick(UInt32(queue))
    }

    // MARK: Saving and restoring

    /// What is saved is read back as it was, and the machine goes on as another; or with state that somebody has changed.
    private mutating func saveAndRestore(_ input: inout FuzzInput) throws {
        bench.driver.transport.suspend()
        let saved = bench.driver.transport.snapshot()
        var encoder = WireEncoder()
        saved.encode(&encoder)
        require(Self.decoded(encoder.bytes) == saved, "a saved transport is not read as it was written")
        if input.once(in: 4) { return bench.driver.transport.resume() }
        if input.once(in: 3) {
            var bytes = encoder.bytes
            ByteMutation.mutate(&bytes, &input)
            bench.isHonest = false
            if let changed = Self.decoded(bytes), try goOn(from: changed) == nil { return }
        }
        if let error = try goOn(from: saved) { violation("what was saved is not restored: \(error)") }
    }

    /// On a new device. Nothing has happened where it refuses.
    private mutating func goOn(from state: TransportSnapshot) throws -> SavedStateError? {
        let next = try Bench(bench.model.renewed(), after: bench)
        next.isHonest = bench.isHonest
        do throws(SavedStateError) {
            try next.driver.transport.restore(state)
        } catch {
            return error
        }
        bench = next
        bench.driver.transport.resume()
        return nil
    }

    private static func decoded(_ bytes: [UInt8]) -> TransportSnapshot? {
        var decoder = WireDecoder(bytes)
        guard let value = try? TransportSnapshot(&decoder), (try? decoder.finish()) != nil else { return nil }
        return value
    }
}
