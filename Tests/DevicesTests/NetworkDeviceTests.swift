import Devices
import Glibc
import GuestMemory
import LinuxSystem
import TestSupport
import Testing
import Virtio

private typealias Net = NetworkHarness

@Suite("Network device on sockets", .timeLimit(.minutes(2)))
struct NetworkDeviceTests {
    @Test("offers what it can do with any network, and tells address, link, pairs and MTU")
    func configuration() throws {
        let (backend, raw) = try makeSocketBackend(.stream)
        defer { close(raw) }
        let net = try Net(backend, settings: NetworkSettings(mac: Net.mac, mtu: 9000))
        #expect(net.device.type == .network)
        #expect(net.driver.offeredFeatures == Net.all | MMIO.eventIndex | 1 << 5 | Net.mtu)
        #expect(net.device.configuration == Net.mac + [1, 0, 1, 0, 0x28, 0x23])
        #expect(net.device.queueSizes == [256, 256, 64])
        backend.setLink(up: false)
        #expect(net.device.configuration[6] == 0)
    }

    @Test("frames go out whole, however the driver cuts them", arguments: [SocketKind.stream, .messages], [false, true])
    func transmit(kind: SocketKind, isIndirect: Bool) throws {
        let (backend, raw) = try makeSocketBackend(kind)
        let end = SocketEnd(file: FileDescriptor(owning: raw), isStream: kind == .stream)
        let net = try Net(backend)
        var sent: UInt16 = 0
        for (index, cuts) in [[], [12], [5, 12, 13, 20], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], [26], [12, 13, 14, 59]].enumerated() {
            let frame = Net.frame(60 + index, mark: UInt8(index))
            try net.send(frame, cuts: cuts, isIndirect: isIndirect)
            #expect(try end.receive() == frame)
            sent += 1
            try net.driver.wait(for: net.transmit, used: sent)
            #expect(net.transmit.used(sent - 1).count == 0)
        }
        let large = Net.frame(65_000)
        try net.send(large)
        #expect(try end.receive() == large)
    }

    @Test("frames come in whole, in one buffer or several", arguments: [SocketKind.stream, .messages])
    func receive(kind: SocketKind) throws {
        let (backend, raw) = try makeSocketBackend(kind)
        let end = SocketEnd(file: FileDescriptor(owning: raw), isStream: kind == .stream)
        let net = try Net(backend)
        try net.offer(200, bytes: 1526)
        var index: UInt16 = 0
        for (mark, size) in [60, 1514, 1515, 9000, 14, 65_000].enumerated() {
            let frame = Net.frame(size, mark: UInt8(mark)).prefix(size)
            try end.send(Array(frame))
            let (found, buffers, next) = try net.received(index)
            #expect(found == Array(frame), "\(size)")
            #expect(Int(buffers) == (size + 12 + 1525) / 1526)
            index = next
        }
    }

    @Test("without mergeable buffers a frame has one, and one that does not fit is dropped")
    func single() throws {
        let (backend, raw) = try makeSocketBackend(.stream)
        let end = SocketEnd(file: FileDescriptor(owning: raw), isStream: true)
        let net = try Net(backend, features: Net.simple)
        try net.offer(3, bytes: 200)
        try end.send(Net.frame(300, mark: 1))
        try end.send(Net.frame(188, mark: 2))
        let (found, buffers, next) = try net.received(0)
        #expect(found == Net.frame(188, mark: 2) && buffers == 1 && next == 1)
    }

    @Test("a frame that waits for buffers comes when there are enough")
    func starved() throws {
        let (backend, raw) = try makeSocketBackend(.stream)
        let end = SocketEnd(file: FileDescriptor(owning: raw), isStream: true)
        let net = try Net(backend)
        let frame = Net.frame(4000)
        try end.send(frame)
        for index in 0..<4 { try net.offer(1, bytes: 1024, first: index) }
        let (found, buffers, _) = try net.received(0)
        #expect(found == frame && buffers == 4)
    }

    @Test("a frame that no full ring can hold is dropped, and the next one comes")
    func tooLarge() throws {
        let (backend, raw) = try makeSocketBackend(.stream)
        let end = SocketEnd(file: FileDescriptor(owning: raw), isStream: true)
        let net = try Net(backend, queueSize: 4)
        try net.offer(4, bytes: 512)
        try end.send(Net.frame(4000, mark: 1))
        try end.send(Net.frame(400, mark: 2))
        #expect(try net.received(0).frame == Net.frame(400, mark: 2))
    }

    @Test("with ring and socket both full, no wake-up is lost")
    func bothFull() throws {
        let (backend, raw) = try makeSocketBackend(.messages)
        let end = SocketEnd(file: FileDescriptor(owning: raw), isStream: false)
        let net = try Net(backend, queueSize: 8)
        // The device's side fills what the socket holds; nobody reads.
        try end.file.setNonBlocking()
        var queued = 0
        let frame = Net.frame(1000, mark: 3)
        while frame.withUnsafeBytes({ Glibc.write(end.file.raw, $0.baseAddress, $0.count) }) == frame.count { queued += 1 }
        #expect(queued > 8)
        var index: UInt16 = 0
        for round in 0..<queued {
            try net.offer(1, bytes: 1526, first: round % 8)
            let found = try net.received(index)
            #expect(found.frame == frame)
            index = found.next
        }
        // And the other way: more frames than the socket takes, each sent once.
        for number in 0..<8 { try net.send(Net.frame(60, mark: UInt8(number)), slot: UInt64(number), cuts: []) }
        for number in 0..<8 { #expect(try end.receive() == Net.frame(60, mark: UInt8(number))) }
        try net.driver.wait(for: net.transmit, used: 8)
    }

    @Test("a full socket holds frames back, and none is lost or doubled when it empties", arguments: [SocketKind.stream, .messages])
    func blocked(kind: SocketKind) throws {
        let (backend, raw) = try makeSocketBackend(kind)
        let end = SocketEnd(file: FileDescriptor(owning: raw), isStream: kind == .stream)
        let net = try Net(backend)
        var (next, sent, taken) = (0, 0, 0)
        // Until the device has frames that it cannot send.
        func fill() throws {
            while sent - Int(net.transmit.usedIndex) < 64 {
                try net.send(Net.frame(30_000, mark: UInt8(truncatingIfNeeded: sent)), slot: UInt64(sent % 64))
                sent += 1
                if sent > 4000 { throw TimeoutError(what: "a full socket") }
            }
        }
        try fill()
        while taken < sent {
            #expect(try end.receive() == Net.frame(30_000, mark: UInt8(truncatingIfNeeded: next)))
            next += 1
            taken += 1
        }
        try net.driver.wait(for: net.transmit, used: UInt16(sent))
    }

    @Test("a chain that is none stops the device, and a reset makes it whole", arguments: [
        "short", "writable", "loop", "outside", "rx-readable", "rx-short", "rx-empty", "ahead", "control-empty",
    ])
    func malformed(kind: String) throws {
        let (backend, raw) = try makeSocketBackend(.messages)
        let end = SocketEnd(file: FileDescriptor(owning: raw), isStream: false)
        let net = try Net(backend)
        let place = Net.transmitData
        switch kind {
        case "short": try net.transmit.add([.readable(place, 11)])
        case "writable": try net.transmit.add([.readable(place, 60), .writable(place, 60)])
        case "loop":
            try net.transmit.put(0, address: place, count: 60, flags: MockDriver.next, next: 0)
            try net.transmit.makeAvailable(0)
        case "outside": try net.transmit.add([.readable(0xFFFF_FFFF_FFFF_F000, 0x2000)])
        case "rx-readable": try net.receive.add([.readable(place, 1526)])
        case "rx-short": try net.receive.add([.writable(place, 11)])
        case "rx-empty": try net.receive.add([.writable(place, 0)])
        case "ahead": net.transmit.availableIndex = 1000
        default: try net.control.add([.readable(place, 3)])
        }
        if kind.hasPrefix("rx") { try end.send(Net.frame(60)) }
        for queue in 0..<3 as Range<UInt32> { net.driver.kick(queue) }
        try net.driver.waitForNeedsReset()
        try net.start(Net.all)
        try net.send(Net.frame(60, mark: 9))
        while try end.receive() != Net.frame(60, mark: 9) {}
        try net.driver.wait(for: net.transmit, used: 1)
    }

    @Test("resets under load end at once, and frames flow after them")
    func resets() throws {
        let (backend, raw) = try makeSocketBackend(.messages)
        let end = SocketEnd(file: FileDescriptor(owning: raw), isStream: false)
        let net = try Net(backend)
        for round in 0..<50 {
            try net.offer(64, bytes: 1526)
            for slot in 0..<32 as Range<UInt64> { try net.send(Net.frame(200, mark: UInt8(round)), slot: slot) }
            for _ in 0..<32 { try end.send(Net.frame(300, mark: 0xEE)) }
            try net.start(Net.all)
            try end.file.setNonBlocking()
            var bytes = [UInt8](repeating: 0, count: 1000)
            while Glibc.read(end.file.raw, &bytes, 1000) > 0 {}
        }
        try net.send(Net.frame(60, mark: 0x42))
        #expect(try end.receive() == Net.frame(60, mark: 0x42))
    }

    @Test("a pulled cable drops frames both ways and tells the driver; put in, frames flow again")
    func link() throws {
        let (backend, raw) = try makeSocketBackend(.stream)
        let end = SocketEnd(file: FileDescriptor(owning: raw), isStream: true)
        let net = try Net(backend)
        try net.offer(8, bytes: 1526)
        let generation = net.driver[MMIO.configGeneration]
        backend.setLink(up: false)
        while net.driver[MMIO.interruptStatus] & 2 == 0 { try net.driver.line.wait("a configuration interrupt") }
        #expect(net.driver.transport.read(offset: MMIO.configuration + 6, size: 2) == 0)
        #expect(net.driver[MMIO.configGeneration] != generation)
        try net.send(Net.frame(60, mark: 1))
        try net.driver.wait(for: net.transmit, used: 1)
        try end.send(Net.frame(60, mark: 2))
        // The stream is read on: what came while the link was down does not come later.
        while unreadBytes(raw) > 0 { sched_yield() }
        backend.setLink(up: true)
        #expect(net.driver.transport.read(offset: MMIO.configuration + 6, size: 2) == 1)
        try end.send(Net.frame(60, mark: 3))
        #expect(try net.received(0).frame == Net.frame(60, mark: 3))
        try net.send(Net.frame(60, mark: 4))
        #expect(try end.receive() == Net.frame(60, mark: 4))
    }

    @Test("the end of the other side is a link down; a new connection is a link up, with nothing of the old one in it")
    func reconnect() throws {
        let (backend, raw) = try makeSocketBackend(.stream)
        let net = try Net(backend)
        try net.offer(8, bytes: 1526)
        // Half a frame.
        let half: [UInt8] = [0, 0, 0, 100, 1, 2, 3]
        _ = half.withUnsafeBytes { writeWhatFits(raw, $0) }
        close(raw)
        while net.driver[MMIO.interruptStatus] & 2 == 0 { try net.driver.line.wait("a configuration interrupt") }
        #expect(!backend.isUp)
        net.driver[MMIO.interruptACK] = 3
        let pair = try SocketPair(.stream)
        let end = SocketEnd(file: try FileDescriptor.duplicate(of: pair.second.raw), isStream: true)
        backend.connect([try NetworkPort(socket: pair.takeFirst())])
        #expect(backend.isUp)
        try end.send(Net.frame(60, mark: 5))
        #expect(try net.received(0).frame == Net.frame(60, mark: 5))
        try net.send(Net.frame(60, mark: 6))
        #expect(try end.receive() == Net.frame(60, mark: 6))
    }

    @Test("a stream of nonsense ends the link, not the process", arguments: [
        [0, 0, 0, 0], [0xFF, 0xFF, 0xFF, 0xFF], [0, 2, 0, 0],
    ] as [[UInt8]])
    func nonsense(bytes: [UInt8]) throws {
        let (backend, raw) = try makeSocketBackend(.stream)
        defer { close(raw) }
        let net = try Net(backend)
        try net.offer(1, bytes: 1526)
        _ = bytes.withUnsafeBytes { writeWhatFits(raw, $0) }
        while net.driver[MMIO.interruptStatus] & 2 == 0 { try net.driver.line.wait("a configuration interrupt") }
        #expect(!backend.isUp)
    }

    @Test("frames are paced by the rate limit, either way")
    func rates() throws {
        let (backend, raw) = try makeSocketBackend(.messages)
        let end = SocketEnd(file: FileDescriptor(owning: raw), isStream: false)
        let limit = DiskRates(requests: .init(perSecond: 100, burst: 1))
        let net = try Net(backend, settings: NetworkSettings(mac: Net.mac, receiveRates: limit, transmitRates: limit))
        try net.offer(32, bytes: 1526)
        let start = Clock.monotonicNanoseconds()
        for slot in 0..<16 as Range<UInt64> { try net.send(Net.frame(60, mark: UInt8(slot)), slot: slot) }
        for slot in 0..<16 as Range<UInt8> { #expect(try end.receive() == Net.frame(60, mark: slot)) }
        // 16 frames at 100 in a second, the first of them and the debt of the last free.
        #expect(Clock.monotonicNanoseconds() - start > 130_000_000)
        let second = Clock.monotonicNanoseconds()
        for mark in 0..<16 as Range<UInt8> { try end.send(Net.frame(60, mark: mark)) }
        var index: UInt16 = 0
        for mark in 0..<16 as Range<UInt8> {
            let found = try net.received(index)
            #expect(found.frame == Net.frame(60, mark: mark))
            index = found.next
        }
        #expect(Clock.monotonicNanoseconds() - second > 130_000_000)
    }
}
