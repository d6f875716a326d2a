import Devices
import GuestMemory
import LinuxSystem
import TestSupport
import Testing

@Suite("Socket device: random packets")
struct VsockFuzzTests {
    /// Random packets over few ports, random chains, random clients and services of the host, resets now and then. What
    /// must hold: the device lives, answers in the end, and holds nothing when all is over.
    @Test("whatever guest and host do, the device works afterwards, and has let go of everything", arguments: 0..<4)
    func random(round: Int) async throws {
        let seed = UInt64.random(in: 0 ... .max)
        await #expect(processExitsWith: .success) { [seed = seed as UInt64] in try Self.run(seed: seed) }
        if round == 0 { print("random socket packets: first seed \(seed)") }
    }

    private static func run(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let vsock = try VsockHarness(buffers: 40, bufferSize: 300, direct: [("direct", 3)],
                                     limits: VsockLimits(connections: 100, handshakes: 8),
                                     features: random.below(2) == 0 ? MMIO.eventIndex | MMIO.indirect : 0)
        let services = try [1, 2].map { try HostService("\(vsock.path)_\($0)", backlog: 2) }
        vsock.settle()
        let descriptors = try descriptorCount()
        var sockets: [HostSocket] = []
        var ports: [UInt32] = [1, 2, 3, 99, 0, .max, 1 << 30]
        let words = ["CONNECT 1\n", "CONNECT 2\nmore", "CONN", "CONNECT 3", "x", "CONNECT 52\n"]
        var resident = 0
        for step in 0..<30_000 {
            switch random.below(40) {
            case 0: sockets.append(try HostSocket(to: random.pick([vsock.path, vsock.directory.path("direct")])))
            case 1: if let socket = sockets.randomElement(using: &random) { try? socket.write(random.pick(words)) }
            case 2:
                if let socket = sockets.randomElement(using: &random) {
                    _ = try? socket.writeSome(random.bytes(random.below(5000))[...])
                }
            case 3: if let socket = sockets.randomElement(using: &random), !socket.isEmpty { _ = try? socket.readSome() }
            case 4: sockets.randomElement(using: &random)?.endSending()
            case 5: sockets.randomElement(using: &random)?.endReceiving()
            case 6: if !sockets.isEmpty { sockets.remove(at: random.below(sockets.count)).close() }
            case 7: for service in services { if let socket = try service.acceptWaiting() { sockets.append(socket) } }
            case 8:
                vsock.settle()
                while vsock.hasPacket {
                    let packet = try vsock.receive()
                    if packet.operation == GuestPacket.request { ports.append(packet.sourcePort) }
                    if packet.operation == GuestPacket.request, random.below(4) > 0 {
                        try? vsock.post(GuestPacket(GuestPacket.response, from: packet.destinationPort, to: packet.sourcePort))
                    }
                }
                ports = ports.prefix(7) + ports.suffix(8)
            case 9 where random.below(60) == 0:
                vsock.driver.status = 0
                try vsock.start(buffers: 40)
            default: try post(&random, ports, vsock)
            }
            if sockets.count > 60 { sockets.removeFirst().close() }
            if vsock.driver.status & MMIO.needsReset != 0 { try vsock.start(buffers: 40) }
            if step == 10_000 { resident = residentBytes() }
        }
        for socket in sockets { socket.close() }
        sockets = []
        vsock.driver.status = 0
        for service in services { while try service.acceptWaiting() != nil {} }
        // The buffers of 100 connections take 6 MiB each 25 of them; the guest's memory was touched long before.
        #expect(residentBytes() < resident + 64 << 20, "seed \(seed)")
        try vsock.start()
        let (client, port) = try vsock.connectFromHost()
        try vsock.send(GuestPacket(GuestPacket.data, from: 52, to: port, [1]))
        #expect(try client.read(1) == [1], "seed \(seed)")
        client.close()
        vsock.settle()
        vsock.driver.status = 0
        #expect(try descriptorCount() <= descriptors, "seed \(seed)")
    }

    private static func post(_ random: inout SplitMix64, _ ports: [UInt32], _ vsock: VsockHarness) throws {
        vsock.driver.kick(1)
        if vsock.tx.availableIndex &- vsock.tx.usedIndex > 100 { return vsock.settle() }
        let operation = random.pick([1, 1, 2, 3, 4, 5, 5, 5, 5, 6, 7, UInt16(random.below(12))])
        let payload = operation == GuestPacket.data ? random.bytes(random.pick([0, 1, 100, 5000, 65536])) : []
        var packet = GuestPacket(operation, from: random.pick(ports), to: random.pick(ports), payload)
        packet.flags = random.pick([0, 1, 2, 3, .max])
        packet.allocation = random.pick([0, 1, 1000, 1 << 18, .max])
        packet.forwarded = random.pick([0, 0, 100, 5000, .max])
        switch random.below(60) {
        case 0: packet.sourceCID = random.next()
        case 1: packet.destinationCID = random.next()
        case 2: packet.type = UInt16(random.below(4))
        case 3: packet.length = random.pick([0, 1, .max, packet.length &+ 1])
        case 4 where random.below(20) == 0:
            try vsock.tx.add([.readable(random.next(), UInt32(random.below(1 << 20)))])
            return
        case 5: return try vsock.post(random.bytes(random.below(60)))
        default: break
        }
        try vsock.post(packet, split: random.below(2) == 0)
    }
}
