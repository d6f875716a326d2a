import Devices
import Glibc
import GuestMemory
import LinuxSystem
import NineP
import TestSupport
import Testing
import Virtio

/// A driver of the 9P device that says just enough 9P2000.L to see whether messages get through whole.
private final class FileClient {
    let memory: GuestMemory
    let rings: MockDriver
    private(set) var driver: TransportDriver
    private(set) var used: UInt16 = 0
    /// A page for each request's bytes and one for its reply, behind the rings.
    private let base: GuestAddress
    static let page: UInt64 = 4096

    init(_ device: FileSharingDevice, features: UInt64 = MMIO.version1 | MMIO.eventIndex | MMIO.indirect) throws {
        memory = try GuestMemory(layout: try #require(RAMLayout(size: 16 << 20)))
        rings = MockDriver(memory: memory, size: 128)
        base = rings.end
        driver = try TransportDriver(device, memory: memory)
        try start(features: features)
    }

    func start(features: UInt64 = MMIO.version1 | MMIO.eventIndex | MMIO.indirect) throws {
        used = 0
        try driver.start(rings, features: features)
    }

    /// Goes on with another device, as in a machine that was restored with this memory. The device that was stands still.
    func move(to device: FileSharingDevice) throws {
        let saved = driver.transport.snapshot()
        driver = try TransportDriver(device, memory: memory)
        try driver.transport.restore(saved)
        driver.transport.resume()
    }

    /// A request's answer in the slot it was posted in.
    func answer(slot: UInt64) throws -> [UInt8] {
        let size = try memory.read(UInt32.self, at: replyPage(slot))
        return try memory.bytes(at: replyPage(slot), count: Int(min(size, 4096)))
    }

    static func message(_ type: UInt8, tag: UInt16 = 1, _ body: [UInt8] = []) -> [UInt8] {
        let size = UInt32(7 + body.count)
        return bytes(size) + [type] + bytes(tag) + body
    }

    static func bytes<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
        (0..<(Value.bitWidth / 8)).map { UInt8(truncatingIfNeeded: value >> Value(8 * $0)) }
    }

    static func string(_ text: String) -> [UInt8] { bytes(UInt16(text.utf8.count)) + Array(text.utf8) }

    private func requestPage(_ slot: UInt64) -> GuestAddress { base + 2 * slot * Self.page }
    private func replyPage(_ slot: UInt64) -> GuestAddress { base + (2 * slot + 1) * Self.page }

    /// Puts a message into the ring, in two parts, with room for the reply in two parts.
    func post(_ message: [UInt8], slot: UInt64 = 0, room: UInt32 = 4096) throws {
        try memory.write(message, at: requestPage(slot))
        let first = UInt32(min(5, message.count))
        var buffers: [MockDriver.Buffer] = [.readable(requestPage(slot), first)]
        if message.count > 5 { buffers.append(.readable(requestPage(slot) + 5, UInt32(message.count) - first)) }
        if room > 0 { buffers.append(.writable(replyPage(slot), min(room, 3))) }
        if room > 3 { buffers.append(.writable(replyPage(slot) + 3, room - 3)) }
        try rings.add(buffers)
    }

    /// Kicks and waits for as many more replies.
    func wait(_ count: UInt16 = 1) throws {
        used &+= count
        // With event indices: an interrupt for the last of them.
        rings.usedEvent = used &- 1
        driver.kick()
        try driver.wait(for: rings, used: used)
    }

    func reply(slot: UInt64 = 0, used index: UInt16? = nil) throws -> [UInt8] {
        let count = rings.used(index ?? used &- 1).count
        return try memory.bytes(at: replyPage(slot), count: Int(count))
    }

    func ask(_ message: [UInt8]) throws -> [UInt8] {
        try post(message)
        try wait()
        return try reply()
    }

    func attach(fid: UInt32 = 0) throws {
        let version = try ask(Self.message(100, tag: .max, Self.bytes(UInt32(65536)) + Self.string("9P2000.L")))
        #expect(version[4] == 101)
        let attach = Self.bytes(fid) + Self.bytes(UInt32.max) + Self.string("") + Self.string("") + Self.bytes(UInt32(0))
        #expect(try ask(Self.message(104, attach))[4] == 105)
    }

    /// Walks to a file of the root and opens it.
    func open(_ name: String, as fid: UInt32, flags: UInt32) throws {
        let walk = Self.bytes(UInt32(0)) + Self.bytes(fid) + Self.bytes(UInt16(1)) + Self.string(name)
        #expect(try ask(Self.message(110, walk))[4] == 111)
        #expect(try ask(Self.message(12, Self.bytes(fid) + Self.bytes(flags)))[4] == 13)
    }

    func read(_ fid: UInt32, at offset: UInt64, _ count: UInt32) throws -> String {
        let reply = try ask(Self.message(116, Self.bytes(fid) + Self.bytes(offset) + Self.bytes(count)))
        #expect(reply[4] == 117)
        return String(decoding: reply.dropFirst(11), as: UTF8.self)
    }

    /// An exclusive lock of the whole file, for which the client would wait.
    static func lock(_ fid: UInt32, tag: UInt16 = 1) -> [UInt8] {
        let range = bytes(UInt64(0)) + bytes(UInt64(0))
        return message(52, tag: tag, bytes(fid) + [1] + bytes(UInt32(1)) + range + bytes(UInt32(7)) + string("c"))
    }

    static func getattr(tag: UInt16, fid: UInt32 = 0) -> [UInt8] {
        message(24, tag: tag, bytes(fid) + bytes(UInt64(0x7FF)))
    }
}

@Suite("9P device", .timeLimit(.minutes(2)))
struct FileSharingDeviceTests {
    let directory = TemporaryDirectory()

    private func server(lockWaiters: Int = 0) throws -> NinePServer {
        var options = NinePOptions()
        options.lockWaiters = lockWaiters
        let share = Share(name: "s", path: directory.path, ownership: .squash(user: nil, group: nil))
        return try NinePServer(share: share, options: options)
    }

    private func client(tag: String = "home") throws -> FileClient {
        try FileClient(FileSharingDevice(server: try server(), tag: tag))
    }

    @Test("says what it is: type 9, one queue, and the tag with its length", arguments: ["t", "home", String(repeating: "x", count: 255)])
    func identity(tag: String) throws {
        let driver = try TransportDriver(FileSharingDevice(server: try server(), tag: tag),
                                         memory: try GuestMemory(layout: try #require(RAMLayout(size: 1 << 20))))
        #expect(driver[MMIO.deviceID] == 9)
        #expect(driver.offeredFeatures & 1 == 1)
        let count = tag.utf8.count
        #expect(driver.transport.read(offset: MMIO.configuration, size: 2) == UInt64(count))
        let read = (0..<UInt64(count)).map { UInt8(driver.transport.read(offset: MMIO.configuration + 2 + $0, size: 1)) }
        #expect(read == Array(tag.utf8))
        driver[MMIO.queueSel] = 1
        #expect(driver[MMIO.queueNumMax] == 0)
    }

    @Test("a file of the host is read through the ring")
    func read() throws {
        _ = try directory.file("f", Array("words of the host".utf8))
        let client = try client()
        try client.attach()
        try client.open("f", as: 1, flags: 0)
        #expect(try client.read(1, at: 9, 100) == "the host")
    }

    @Test("a ring full of requests is answered, each with its tag", arguments: [MMIO.version1, MMIO.version1 | MMIO.eventIndex])
    func many(features: UInt64) throws {
        let client = try FileClient(FileSharingDevice(server: try server(), tag: "t"), features: features)
        try client.attach()
        for round in 0..<20 as Range<UInt16> {
            // Four descriptors each.
            for slot in 0..<32 as Range<UInt16> {
                try client.post(FileClient.getattr(tag: round * 32 + slot), slot: UInt64(slot))
            }
            try client.wait(32)
            for slot in 0..<32 as Range<UInt16> {
                let reply = try client.memory.bytes(at: client.rings.end + UInt64(2 * slot + 1) * FileClient.page, count: 7)
                #expect(reply[4] == 25)
                #expect(Array(reply[5...]) == FileClient.bytes(round * 32 + slot))
            }
        }
    }

    @Test("requests that come one by one without a pause all get through", arguments: 1...3 as ClosedRange<UInt64>)
    func trickle(seed: UInt64) throws {
        let client = try client()
        try client.attach()
        var random = SplitMix64(seed: seed)
        for _ in 0..<300 {
            let count = UInt16(1 + random.below(4))
            for slot in 0..<count {
                try client.post(FileClient.getattr(tag: slot), slot: UInt64(slot))
                if random.below(2) == 0 { client.driver.kick() }
            }
            try client.wait(count)
        }
    }

    @Test("what is no message, or has no room for a reply, is given back empty, and the next one is served", arguments: [0, 1, 6])
    func noMessage(count: Int) throws {
        let client = try client()
        try client.attach()
        if count > 0 {
            try client.post([UInt8](repeating: 1, count: count))
            try client.wait()
            #expect(try client.reply().isEmpty)
        }
        try client.post(FileClient.getattr(tag: 3), room: 6)
        try client.wait()
        #expect(try client.reply().isEmpty)
        #expect(try client.ask(FileClient.getattr(tag: 4))[4] == 25)
    }

    @Test("a malformed chain stops the device, and a reset makes it whole")
    func malformedChain() throws {
        let client = try client()
        try client.attach()
        try client.rings.makeAvailable(128)
        client.driver.kick()
        try client.driver.waitForNeedsReset()
        try client.start()
        try client.attach()
        #expect(try client.ask(FileClient.getattr(tag: 4))[4] == 25)
    }

    @Test("a reset forgets the client: its fids are gone, its files closed")
    func reset() throws {
        let server = try server()
        let client = try FileClient(FileSharingDevice(server: server, tag: "t"))
        try client.attach()
        let before = server.descriptorsInUse
        #expect(before > 0)
        client.driver.status = 0
        #expect(server.descriptorsInUse == 0)
        try client.start()
        let version = try client.ask(FileClient.message(100, tag: .max, FileClient.bytes(UInt32(65536)) + FileClient.string("9P2000.L")))
        #expect(version[4] == 101)
        // EBADF
        let reply = try client.ask(FileClient.getattr(tag: 1))
        #expect(reply[4] == 7)
        #expect(reply[7] == 9)
    }

    @Test("a reset with requests under way waits for them, again and again")
    func resetUnderLoad() throws {
        let client = try client()
        for _ in 0..<50 {
            try client.attach()
            for slot in 0..<32 as Range<UInt16> { try client.post(FileClient.getattr(tag: slot), slot: UInt64(slot)) }
            client.driver.kick()
            client.driver.status = 0
            let index = client.rings.usedIndex
            #expect(client.rings.usedIndex == index)
            try client.start()
        }
    }

    @Test("a device that stands still has answered what it took, touches no memory, and goes on with the rest", arguments: [
        MMIO.version1, MMIO.version1 | MMIO.eventIndex,
    ])
    func suspend(features: UInt64) throws {
        _ = try directory.file("f", Array("words of the host".utf8))
        let client = try FileClient(FileSharingDevice(server: try server(), tag: "t"), features: features)
        try client.attach()
        try client.open("f", as: 1, flags: 0)
        for round in 0..<50 as Range<UInt16> {
            for slot in 0..<32 as Range<UInt16> {
                try client.post(FileClient.getattr(tag: round * 32 + slot), slot: UInt64(slot))
            }
            client.driver.kick()
            client.driver.transport.suspend()
            let index = client.rings.usedIndex
            let (start, count) = (client.rings.descriptorTable, Int(client.rings.end - client.rings.descriptorTable))
            let rings = try client.memory.bytes(at: start, count: count)
            // Nobody is there to take it.
            client.driver.kick()
            #expect(try client.memory.bytes(at: start, count: count) == rings)
            // As many were taken as were answered: the device asks for a kick for what comes after those it took.
            if features & MMIO.eventIndex != 0 { #expect(client.rings.availableEvent == index) }
            client.driver.transport.resume()
            try client.wait(32)
            for slot in 0..<32 as Range<UInt16> {
                #expect(Array(try client.answer(slot: UInt64(slot))[4..<7]) == [25] + FileClient.bytes(round * 32 + slot))
            }
        }
        #expect(try client.read(1, at: 9, 100) == "the host")
    }

    @Test("another device goes on where one stood still: with the requests in the ring, and the files that were open")
    func restore() throws {
        let path = try directory.file("f", Array("words of the host".utf8))
        let first = try server()
        let client = try FileClient(FileSharingDevice(server: first, tag: "t"))
        try client.attach()
        try client.open("f", as: 1, flags: 2)
        for round in 0..<20 as Range<UInt16> {
            for slot in 0..<32 as Range<UInt16> {
                try client.post(FileClient.getattr(tag: round * 32 + slot, fid: UInt32(slot % 2)), slot: UInt64(slot))
            }
            client.driver.kick()
            client.driver.transport.suspend()
            try client.move(to: FileSharingDevice(server: try server(), tag: "t"))
            try client.wait(32)
            for slot in 0..<32 as Range<UInt16> {
                #expect(Array(try client.answer(slot: UInt64(slot))[4..<7]) == [25] + FileClient.bytes(round * 32 + slot))
            }
        }
        #expect(try client.read(1, at: 9, 100) == "the host")
        let write = FileClient.bytes(UInt32(1)) + FileClient.bytes(UInt64(0)) + FileClient.bytes(UInt32(5)) + Array("WORDS".utf8)
        #expect(try client.ask(FileClient.message(118, write))[4] == 119)
        #expect(contents(ofSmallFile: path, limit: 100) == Array("WORDS of the host".utf8))
        // A file that is not there any more: ESTALE.
        client.driver.transport.suspend()
        unlink(path)
        try client.move(to: FileSharingDevice(server: try server(), tag: "t"))
        #expect(Array(try client.ask(FileClient.getattr(tag: 1, fid: 1))[4...]) == [7, 1, 0] + FileClient.bytes(UInt32(116)))
        #expect(try client.ask(FileClient.message(120, FileClient.bytes(UInt32(1))))[4] == 121)
    }

    @Test("a request that waits for a lock when the device is to stand still is answered, blocked; the lock can be had afterwards")
    func suspendWaiter() throws {
        _ = try directory.file("f", [])
        let holder = try FileClient(FileSharingDevice(server: try server(), tag: "t"))
        let waiter = try FileClient(FileSharingDevice(server: try server(lockWaiters: 2), tag: "t"))
        for client in [holder, waiter] {
            try client.attach()
            try client.open("f", as: 1, flags: 2)
        }
        #expect(try Array(holder.ask(FileClient.lock(1))[4...]) == [53, 1, 0, 0])
        let begin = Clock.monotonicNanoseconds()
        for _ in 0..<40 {
            for slot in 0..<4 as Range<UInt16> { try waiter.post(FileClient.lock(1, tag: slot), slot: UInt64(slot)) }
            waiter.driver.kick()
            // The device has taken all of them when it asks for a kick for the next.
            let deadline = Clock.monotonicNanoseconds() + UInt64(patience) * 1_000_000
            while waiter.rings.availableEvent != waiter.rings.availableIndex {
                try #require(Clock.monotonicNanoseconds() < deadline)
            }
            waiter.driver.transport.suspend()
            #expect(waiter.rings.usedIndex == waiter.rings.availableIndex)
            for slot in 0..<4 as Range<UInt16> {
                #expect(try Array(waiter.answer(slot: UInt64(slot))[4...]) == [53] + FileClient.bytes(slot) + [1])
            }
            waiter.driver.transport.resume()
            try waiter.wait(4)
        }
        // Each of them would have waited for half a second.
        #expect(Clock.monotonicNanoseconds() - begin < 15_000_000_000)
        // The holder's locks stay while it stands still, and end with its device.
        holder.driver.transport.suspend()
        let start = Clock.monotonicNanoseconds()
        #expect(try Array(waiter.ask(FileClient.lock(1))[4...]) == [53, 1, 0, 1])
        // Requests wait for half a second again.
        #expect(Clock.monotonicNanoseconds() - start >= 500_000_000)
        holder.driver.status = 0
        #expect(try Array(waiter.ask(FileClient.lock(1))[4...]) == [53, 1, 0, 0])
    }

    @Test("a device that stands still is reset like any other")
    func resetSuspended() throws {
        let server = try server()
        let client = try FileClient(FileSharingDevice(server: server, tag: "t"))
        try client.attach()
        client.driver.transport.suspend()
        #expect(server.descriptorsInUse > 0)
        client.driver.status = 0
        #expect(server.descriptorsInUse == 0)
        try client.start()
        // EBADF
        try client.attach()
        #expect(try client.ask(FileClient.getattr(tag: 1, fid: 1))[7] == 9)
    }

    @Test("a device without a driver has nothing to save, and what was not saved by one is refused")
    func savedState() throws {
        let device = FileSharingDevice(server: try server(), tag: "t")
        #expect(device.savedState.isEmpty)
        try device.restore([])
        for bytes in [[1], [UInt8](repeating: 0xFF, count: 100)] as [[UInt8]] {
            #expect(throws: SavedStateError.self) { try device.restore(bytes) }
        }
        let client = try FileClient(device)
        try client.attach()
        #expect(try client.ask(FileClient.getattr(tag: 4))[4] == 25)
    }
}
