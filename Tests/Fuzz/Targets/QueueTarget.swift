import GuestMemory
import TestSupport
import Virtio

/// A queue by itself, beside the reference walker.
enum QueueTarget {
    static let target = FuzzTarget("virtqueue", maximumLength: 1024) { input in try run(&input) }

    private static func run(_ input: inout FuzzInput) throws {
        let features = FeatureBits(rawValue: input.pick([.max, 0, FeatureBits.eventIndex.rawValue, FeatureBits.indirectDescriptors.rawValue]))
            .intersection(.transport).union(.version1)
        let size = input.pick([8, 1, 2, 16] as [UInt16])
        let guarded = try GuardedMemory(size: Bench.lowRAM + Bench.highRAM)
        let memory = guarded.memory
        let ring = MockDriver(memory: memory, size: size)
        let walker = ReferenceWalker(memory: memory, ring: ring, allowsIndirect: features.contains(.indirectDescriptors))
        while !input.isEmpty {
            try ring.reset()
            try rounds(&input, ring, walker, features)
        }
    }

    /// Serves chains until one is malformed.
    private static func rounds(
        _ input: inout FuzzInput, _ ring: MockDriver, _ walker: ReferenceWalker, _ features: FeatureBits
    ) throws {
        let queue = try Virtqueue(configuration(ring), memory: ring.memory, features: features)
        let chain = DescriptorChain(capacity: Int(ring.size))
        var taken: UInt16 = 0
        for _ in 0..<40 where !input.isEmpty {
            let head = try ChainGenerator.chain(&input, ring)
            let expected = walker.chain(from: head)
            try ring.makeAvailable(head)
            do throws(QueueError) {
                require(try queue.next(chain), "a chain that is available is not found")
            } catch {
                require(expected == nil, "a chain is refused (\(error)) that is well-formed: \(expected ?? [])")
                return
            }
            guard let expected else { violation("a malformed chain from \(head) is taken") }
            require(chain.head == head, "head \(chain.head), expected \(head)")
            try check(chain, expected, ring.memory)
            if input.once(in: 8) {
                queue.putBack(1)
                require((try? queue.next(chain)) == true && chain.head == head, "a chain that was put back is not taken again")
            }
            queue.push(head: head, written: chain.writableCount)
            taken += 1
            checkUsed(ring, taken, chain)
            _ = queue.shouldNotifyDriver()
            let isEmpty = !queue.enableKicks()
            require(isEmpty, "chains that nobody added are available")
            if features.contains(.eventIndex) {
                require(ring.availableEvent == taken, "avail_event \(ring.availableEvent), expected \(taken)")
            }
        }
        try ahead(&input, ring, queue, chain, taken)
    }

    /// More than the ring holds is no number of chains.
    private static func ahead(
        _ input: inout FuzzInput, _ ring: MockDriver, _ queue: Virtqueue, _ chain: DescriptorChain, _ taken: UInt16
    ) throws {
        let by = input.number(UInt16.self)
        ring.availableIndex = taken &+ by
        guard by > ring.size else { return }
        do throws(QueueError) {
            let isFound = try queue.next(chain)
            violation("avail.idx is \(by) ahead in a ring of \(ring.size), and a chain is \(isFound ? "taken" : "missed")")
        } catch {
            require(error == .availableIndexAhead(by: by), "\(error) for an index that is \(by) ahead")
        }
    }

    private static func check(_ chain: DescriptorChain, _ expected: [ReferenceWalker.Part], _ memory: GuestMemory) throws {
        for isWritable in [false, true] {
            let parts = expected.filter { $0.isWritable == isWritable && $0.count > 0 }
            let sum = parts.reduce(0) { $0 + Int($1.count) }
            let count = isWritable ? chain.writableCount : chain.readableCount
            require(count == sum, "\(count) bytes, expected \(sum)")
            var index = 0
            chain.forEachSlice(writable: isWritable, from: 0, count: count) { slice in
                guard index < parts.count, let same = try? memory.slice(at: parts[index].address, count: parts[index].count) else {
                    violation("a slice that no descriptor names")
                }
                require(slice.buffer.baseAddress == same.buffer.baseAddress && slice.count == same.count,
                        "slice \(index) is not where its descriptor says")
                index += 1
                return true
            }
            require(index == parts.count, "\(index) slices, expected \(parts.count)")
        }
    }

    private static func checkUsed(_ ring: MockDriver, _ taken: UInt16, _ chain: DescriptorChain) {
        require(ring.usedIndex == taken, "used.idx \(ring.usedIndex), expected \(taken)")
        let entry = ring.used(taken &- 1)
        require(entry.id == UInt32(chain.head) && entry.count == UInt32(clamping: chain.writableCount), "the used entry is \(entry)")
    }

    private static func configuration(_ ring: MockDriver) -> QueueConfiguration {
        var configuration = QueueConfiguration(maximumSize: 256)
        configuration.size = ring.size
        configuration.isReady = true
        configuration.descriptorTable = ring.descriptorTable
        configuration.availableRing = ring.availableRing
        configuration.usedRing = ring.usedRing
        return configuration
    }
}
