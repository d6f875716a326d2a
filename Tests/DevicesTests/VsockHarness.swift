import Devices
import GuestMemory
import LinuxSystem
import TestSupport
import Testing
import Virtio

/// A packet as the guest writes and reads it: the layout of virtio 1.2, 5.10.6, by hand.
struct GuestPacket: CustomStringConvertible {
    static let request: UInt16 = 1, response: UInt16 = 2, reset: UInt16 = 3, shutdown: UInt16 = 4
    static let data: UInt16 = 5, creditUpdate: UInt16 = 6, creditRequest: UInt16 = 7

    var sourceCID: UInt64 = VsockHarness.cid, destinationCID: UInt64 = 2
    var sourcePort: UInt32, destinationPort: UInt32
    var length: UInt32 = 0
    var type: UInt16 = 1
    var operation: UInt16
    var flags: UInt32 = 0
    var allocation: UInt32 = 1 << 18
    var forwarded: UInt32 = 0
    var payload: [UInt8] = []

    /// From the guest's port to the host's.
    init(_ operation: UInt16, from guest: UInt32, to host: UInt32, _ payload: [UInt8] = []) {
        (self.operation, sourcePort, destinationPort, self.payload) = (operation, guest, host, payload)
        length = UInt32(payload.count)
    }

    init(_ bytes: [UInt8]) {
        sourceCID = bytes.get(UInt64.self, at: 0)
        destinationCID = bytes.get(UInt64.self, at: 8)
        sourcePort = bytes.get(UInt32.self, at: 16)
        destinationPort = bytes.get(UInt32.self, at: 20)
        length = bytes.get(UInt32.self, at: 24)
        type = bytes.get(UInt16.self, at: 28)
        operation = bytes.get(UInt16.self, at: 30)
        flags = bytes.get(UInt32.self, at: 32)
        allocation = bytes.get(UInt32.self, at: 36)
        forwarded = bytes.get(UInt32.self, at: 40)
        payload = Array(bytes[44...])
    }

    var header: [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 44)
        bytes.put(sourceCID, at: 0)
        bytes.put(destinationCID, at: 8)
        bytes.put(sourcePort, at: 16)
        bytes.put(destinationPort, at: 20)
        bytes.put(length, at: 24)
        bytes.put(type, at: 28)
        bytes.put(operation, at: 30)
        bytes.put(flags, at: 32)
        bytes.put(allocation, at: 36)
        bytes.put(forwarded, at: 40)
        return bytes
    }

    var description: String {
        "op \(operation) \(sourceCID):\(sourcePort) -> \(destinationCID):\(destinationPort) length \(length) flags \(flags)"
            + " credit \(allocation)/\(forwarded)"
    }
}

/// A socket device, its driver in the guest, and a directory for the host's sockets.
final class VsockHarness {
    static let cid: UInt64 = 42
    static let slotSize: UInt64 = 1 << 17

    let directory = TemporaryDirectory()
    let memory: GuestMemory
    let rx: MockDriver
    let tx: MockDriver
    let events: MockDriver
    let host: VsockListeners
    let loop: LoopThread
    let driver: TransportDriver
    let bufferSize: UInt32
    /// How often the loop went round.
    let rounds = Count()
    private let features: UInt64
    /// Used entries that were looked at.
    private(set) var received: UInt16 = 0
    private var sent: UInt16 = 0
    /// In the rx queue or with the guest: at most 256.
    private var buffers = 0
    private var nextSlot = 0
    /// Whether buffers go back to the device when their packet was read.
    var recycles = true

    private static let rxData: GuestAddress = 0x100_0000
    private static let txData: GuestAddress = 0x800_0000

    var path: String { directory.path("vsock.sock") }

    /// - Parameter direct: names of sockets in the directory, and ports.
    init(buffers: Int = 64, bufferSize: UInt32 = 4096, direct: [(String, UInt32)] = [], limits: VsockLimits = VsockLimits(),
         features: UInt64 = 0, starts: Bool = true) throws {
        memory = try GuestMemory(layout: try #require(RAMLayout(size: 256 << 20)))
        rx = MockDriver(memory: memory, size: 256, base: 0x1_0000)
        tx = MockDriver(memory: memory, size: 256, base: 0x2_0000)
        events = MockDriver(memory: memory, size: 16, base: 0x3_0000)
        let directory = directory
        host = try VsockListeners(connectPath: directory.path("vsock.sock"), directPorts: direct.map {
            VsockListeners.DirectPort(path: directory.path($0.0), guestPort: $0.1)
        })
        let (host, limitsCopy) = (host, limits)
        var device: VsockDevice?
        let rounds = rounds
        loop = try LoopThread { loop in
            device = try VsockDevice(guestCID: Self.cid, host: host, loop: loop, limits: limitsCopy)
            let round = loop.afterRound
            loop.afterRound = {
                rounds.add()
                return round?() ?? false
            }
        }
        driver = try TransportDriver(try #require(device), memory: memory)
        self.bufferSize = bufferSize
        self.features = MMIO.version1 | features
        if starts { try start(buffers: buffers) }
    }

    deinit {
        driver.status = 0
    }

    /// Sets the device up, as after a reset.
    func start(buffers: Int = 64) throws {
        for ring in [rx, tx, events] { try ring.reset() }
        (received, sent, self.buffers) = (0, 0, 0)
        guard driver.negotiate(features) else { throw TimeoutError(what: "FEATURES_OK") }
        for (index, ring) in [rx, tx, events].enumerated() { driver.configure(UInt32(index), ring) }
        driver.driverOK()
        try addBuffers(buffers)
    }

    func addBuffers(_ count: Int) throws {
        for _ in 0..<count {
            let slot = UInt64(buffers)
            buffers += 1
            try rx.add([.writable(Self.rxData + slot * UInt64(bufferSize), bufferSize)])
        }
        driver.kick(0)
    }

    // MARK: Packets

    /// Puts a packet into the tx queue, in one buffer or with the header in one of its own.
    func post(_ packet: GuestPacket, split: Bool = false) throws {
        // The ring must not run over.
        if tx.availableIndex &- tx.usedIndex > 120 { try waitForSent() }
        try post(packet.header + packet.payload, split: split ? 44 : nil)
    }

    func post(_ bytes: [UInt8], split: Int? = nil) throws {
        let address = Self.txData + UInt64(nextSlot) * Self.slotSize
        nextSlot = (nextSlot + 1) % 256
        try memory.write(bytes, at: address)
        if let split, split < bytes.count {
            try tx.add([.readable(address, UInt32(split)), .readable(address + UInt64(split), UInt32(bytes.count - split))])
        } else {
            try tx.add([.readable(address, UInt32(bytes.count))])
        }
        sent &+= 1
    }

    /// Sends a packet, and does not wait for anything.
    func send(_ packet: GuestPacket) throws {
        try post(packet)
        driver.kick(1)
    }

    func waitForSent() throws {
        if features & MMIO.eventIndex != 0 { tx.usedEvent = sent &- 1 }
        fullMemoryBarrier()
        driver.kick(1)
        try driver.wait(for: tx, used: sent)
    }

    var hasPacket: Bool { rx.usedIndex != received }

    /// The next packet that the guest is sent.
    func receive() throws -> GuestPacket {
        while rx.usedIndex == received {
            rx.usedEvent = received
            // Between the look and the wish a packet may have come.
            fullMemoryBarrier()
            if rx.usedIndex != received { break }
            try driver.line.wait("a packet for the guest, status \(driver.status)")
        }
        let used = rx.used(received)
        received &+= 1
        let address = try memory.read(UInt64.self, at: rx.descriptorTable + 16 * UInt64(used.id))
        let packet = GuestPacket(try memory.bytes(at: address, count: Int(used.count)))
        if recycles {
            try rx.makeAvailable(UInt16(used.id))
            driver.kick(0)
        }
        return packet
    }

    func receive(_ operation: UInt16) throws -> GuestPacket {
        let packet = try receive()
        guard packet.operation == operation else { throw TimeoutError(what: "operation \(operation), but there was \(packet)") }
        return packet
    }

    /// Rounds of the loop in a tenth of a second in which nothing happens.
    func idleRounds() throws -> Int {
        settle()
        let before = rounds.value
        let timer = try OneShotTimer()
        timer.arm(nanoseconds: 100_000_000)
        try waitUntilReadable(timer.raw, "a tenth of a second")
        return rounds.value - before
    }

    /// When it returns, the device has done what it can with what it has been given.
    func settle() {
        for _ in 0..<3 { loop.loop.performAndWait {} }
    }

    /// Takes packets up to the one that tells that the host is gone.
    func receiveEnd() throws -> GuestPacket {
        while true {
            let packet = try receive(GuestPacket.shutdown)
            if packet.flags == 3 { return packet }
        }
    }

    // MARK: Connections

    /// A connection of a host client, accepted by the guest.
    func connectFromHost(_ guestPort: UInt32 = 52, allocation: UInt32 = 1 << 18) throws -> (HostSocket, port: UInt32) {
        let client = try HostSocket(to: path)
        try client.write("CONNECT \(guestPort)\n")
        let request = try receive(GuestPacket.request)
        var response = GuestPacket(GuestPacket.response, from: guestPort, to: request.sourcePort)
        response.allocation = allocation
        try send(response)
        #expect(try client.readLine() == "OK \(request.sourcePort)\n")
        return (client, request.sourcePort)
    }

    /// A connection of the guest to a host service.
    func connectFromGuest(_ service: HostService, port: UInt32, from guestPort: UInt32, allocation: UInt32 = 1 << 18) throws
        -> (HostSocket, allocation: UInt32) {
        var request = GuestPacket(GuestPacket.request, from: guestPort, to: port)
        request.allocation = allocation
        try send(request)
        let response = try receive(GuestPacket.response)
        #expect(response.sourcePort == port && response.destinationPort == guestPort)
        return (try service.accept(), response.allocation)
    }
}
