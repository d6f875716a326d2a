import Devices
import GuestMemory
import LinuxSystem
import TestSupport
import Testing

@Suite("Block requests in flight together")
struct BlockTrafficTests {
    private typealias Block = BlockHarness
    private typealias Buffer = MockDriver.Buffer
    private let directory = TemporaryDirectory()

    /// Each request of a round has a zone of the disk and a part of memory to itself, so that their order does not matter.
    private static let zoneSectors = 40
    private static let zoneCount = 24
    private static let zoneBytes = zoneSectors * 512
    private static let data: GuestAddress = 0x400_0000

    private struct Request {
        let number: Int
        let type: UInt32
        let sector: Int
        let count: Int
        let place: GuestAddress
    }

    @Test("the disk is what a model of it is, whatever is read, written, discarded and flushed together",
          arguments: BlockSetup.all, 1...2 as ClosedRange<UInt64>)
    func model(setup: BlockSetup, seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        var model = random.bytes(Self.zoneBytes * Self.zoneCount)
        let path = try directory.file("disk", model)
        let block = try BlockHarness(path: path, features: Block.allFeatures | Block.multiQueueFeature, setup: setup)
        for round in 0..<16 {
            var requests: [[Request]] = block.queues.map { _ in [] }
            for zone in 0..<(1 + random.below(Self.zoneCount)) {
                let queue = random.below(block.queues.count)
                requests[queue].append(try add(zone, queue, &model, block, &random))
            }
            for queue in requests.indices where !requests[queue].isEmpty { block.driver.kick(UInt32(queue)) }
            for (queue, requests) in requests.enumerated() {
                if !requests.isEmpty { try block.finish(queue: queue) }
                for request in requests {
                    #expect(try block.status(request.number, on: queue) == Block.ok, "seed \(seed), round \(round)")
                    guard request.type == Block.read else { continue }
                    let found = try block.memory.bytes(at: request.place, count: request.count * 512)
                    let start = request.sector * 512
                    #expect(found == Array(model[start..<(start + found.count)]), "seed \(seed), round \(round)")
                }
            }
        }
        #expect(directory.contents("disk") == model, "seed \(seed)")
    }

    /// A random request within its zone; what it changes is changed in the model.
    private func add(
        _ zone: Int, _ queue: Int, _ model: inout [UInt8], _ block: BlockHarness, _ random: inout SplitMix64
    ) throws -> Request {
        let first = random.below(Self.zoneSectors)
        let count = 1 + random.below(Self.zoneSectors - first)
        let sector = zone * Self.zoneSectors + first
        let bytes = (sector * 512)..<((sector + count) * 512)
        // Mostly at the begin of a page, as most drivers' buffers are.
        let place = Self.data + 0x1_0000 * UInt64(zone) + UInt64(random.below(3) == 0 ? random.below(4096) : 0)
        let type = random.pick([Block.read, Block.read, Block.write, Block.write, Block.flush, Block.discard, Block.writeZeroes])
        switch type {
        case Block.read:
            try block.memory.write([UInt8](repeating: 0xDD, count: count * 512), at: place)
            try block.add(zone, on: queue, type, sector: UInt64(sector), cut(place, count * 512, true, &random))
        case Block.write:
            let data = random.bytes(count * 512)
            try block.memory.write(data, at: place)
            model.replaceSubrange(bytes, with: data)
            try block.add(zone, on: queue, type, sector: UInt64(sector), cut(place, count * 512, false, &random))
        case Block.discard, Block.writeZeroes:
            var segment = [UInt8](repeating: 0, count: 16)
            segment.put(UInt64(sector), at: 0)
            segment.put(UInt32(count), at: 8)
            if type == Block.writeZeroes { segment.put(UInt32(random.below(2)), at: 12) }
            try block.memory.write(segment, at: place)
            model.replaceSubrange(bytes, with: repeatElement(0, count: bytes.count))
            try block.add(zone, on: queue, type, sector: 0, [.readable(place, 16)])
        default:
            try block.add(zone, on: queue, type, sector: 0)
        }
        return Request(number: zone, type: type, sector: sector, count: count, place: place)
    }

    private func cut(_ place: GuestAddress, _ count: Int, _ isWritable: Bool, _ random: inout SplitMix64) -> [Buffer] {
        var buffers: [Buffer] = []
        var done = 0
        let unit = random.pick([1, 512, 4096])
        while done < count {
            let length = min(count - done, unit * (1 + random.below(unit == 1 ? 3000 : 12)))
            buffers.append(Buffer(address: place + UInt64(done), count: UInt32(length), isWritable: isWritable))
            done += length
        }
        return buffers
    }

    @Test("a reset with requests in flight returns when none is, and nothing is written into guest memory afterwards",
          arguments: BlockSetup.all)
    func reset(setup: BlockSetup) throws {
        let size = 64 << 20
        let path = try directory.sparseFile("disk", size: size)
        let block = try BlockHarness(path: path, features: Block.allFeatures | Block.multiQueueFeature, setup: setup)
        let length = 64 << 10
        let mark = [UInt8](repeating: 0x55, count: length)
        for round in 0..<5 {
            for number in 0..<64 {
                let queue = number % block.queues.count
                let place = Self.data + UInt64(length * number)
                // Zeros from the disk, in place of the mark.
                let type = round % 3 == 2 ? Block.write : Block.read
                let buffer = Buffer(address: place, count: UInt32(length), isWritable: type == Block.read)
                try block.add(number, on: queue, type, sector: UInt64(number * length / 512), [buffer])
            }
            for queue in block.queues.indices { block.driver.kick(UInt32(queue)) }
            block.driver.status = 0
            for number in 0..<64 { try block.memory.write(mark, at: Self.data + UInt64(length * number)) }
            let used = block.queues.map(\.usedIndex)
            // As much again as was in flight, elsewhere in memory: it ends after what would still be coming.
            try block.restart()
            for number in 0..<64 {
                let place = Self.data + UInt64(length * (64 + number))
                try block.add(number, Block.read, sector: UInt64(number * length / 512), [.writable(place, UInt32(length))])
            }
            try block.finish()
            for number in 0..<64 {
                #expect(try block.memory.bytes(at: Self.data + UInt64(length * number), count: length) == mark)
            }
            #expect(used.count == block.queues.count)
            try block.restart()
        }
    }

    @Test("a driver that has more requests in flight than the queue has room for gets them all in the end",
          arguments: BlockSetup.engines)
    func flood(setup: BlockSetup) throws {
        let path = try directory.sparseFile("disk", size: 1 << 20)
        let block = try BlockHarness(path: path, setup: setup)
        for batch in 0..<40 {
            for number in 0..<128 {
                try block.add(number, Block.read, sector: UInt64(number), [.writable(Self.data + 512 * UInt64(number), 512)])
            }
            try block.finish()
            #expect(try (0..<128).allSatisfy { try block.status($0) == Block.ok }, "batch \(batch)")
        }
    }

    @Test("a chain that no driver makes stops one queue's requests, and a reset makes the device whole",
          arguments: BlockSetup.engines)
    func mistake(setup: BlockSetup) throws {
        let path = try directory.sparseFile("disk", size: 1 << 20)
        let block = try BlockHarness(path: path, setup: setup)
        for _ in 0..<20 {
            for number in 0..<32 {
                try block.add(number, Block.read, sector: UInt64(number), [.writable(Self.data + 512 * UInt64(number), 512)])
            }
            try block.rings.add([.readable(Block.header, 16)])
            block.driver.kick()
            try block.driver.waitForNeedsReset()
            try block.restart()
            #expect(try block.request(Block.read, sector: 0, [.writable(Block.data, 512)]).status == Block.ok)
        }
    }
}
