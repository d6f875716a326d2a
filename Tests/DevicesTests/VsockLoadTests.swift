import Devices
import LinuxSystem
import TestSupport
import Testing

@Suite("Socket device: many at once, and resets")
struct VsockLoadTests {
    private typealias Packet = GuestPacket

    @Test("sockets with data and a guest without buffers wait and do not spin; buffers let all of them go on",
          arguments: [0, MMIO.eventIndex])
    func noBuffers(features: UInt64) throws {
        let vsock = try VsockHarness(features: features)
        let clients = try (0..<40).map { try vsock.connectFromHost(UInt32($0 + 1)) }
        // From now on buffers are kept: the 64 that there are get used up by one connection.
        vsock.recycles = false
        let writer = try BackgroundWriter(clients[0].0, [UInt8](repeating: 1, count: 64 * 4052 + 2000))
        for _ in 0..<64 { #expect(try vsock.receive(Packet.data).destinationPort == 1) }
        writer.wait()
        for (client, _) in clients { try client.write([7, 7]) }
        // The other direction works, and its socket gets full as well.
        try vsock.post(Packet(Packet.data, from: 2, to: clients[1].port, [5]))
        try vsock.waitForSent()
        #expect(try clients[1].0.read(1) == [5])
        #expect(!vsock.hasPacket)
        #expect(try vsock.idleRounds() <= 2)
        try vsock.addBuffers(3)
        vsock.settle()
        #expect(try vsock.idleRounds() <= 2)
        try vsock.addBuffers(100)
        var ports: Set<UInt32> = []
        while ports.count < 40 { ports.insert(try vsock.receive(Packet.data).destinationPort) }
        for (client, _) in clients { client.close() }
    }

    @Test("a ring and a socket that are both full: each goes on when it can")
    func bothFull() throws {
        let vsock = try VsockHarness(buffers: 3)
        let (client, port) = try vsock.connectFromHost()
        vsock.recycles = false
        var filled = 0
        while true {
            let count = try client.writeSome([UInt8](repeating: 3, count: 65536)[...])
            if count == 0 {
                vsock.settle()
                if !isWritable(client.raw, within: 0) { break }
            }
            filled += count
        }
        var sent = 0
        while sent < 256 << 10 {
            try vsock.post(Packet(Packet.data, from: 52, to: port, [UInt8](repeating: 4, count: 32768)))
            sent += 32768
        }
        try vsock.waitForSent()
        #expect(try vsock.idleRounds() <= 2)
        // The host reads: the guest's data moves though the guest has no buffer.
        #expect(try client.read(sent).allSatisfy { $0 == 4 })
        // The guest takes: all that was written arrives.
        vsock.recycles = true
        try vsock.addBuffers(20)
        var got = 0
        while got < filled {
            let packet = try vsock.receive()
            #expect(packet.payload.allSatisfy { $0 == 3 })
            got += packet.payload.count
            var update = Packet(Packet.creditUpdate, from: 52, to: port)
            update.forwarded = UInt32(got)
            try vsock.send(update)
        }
        client.close()
    }

    @Test("a connection that never stops does not keep others waiting")
    func fairness() throws {
        let vsock = try VsockHarness(buffers: 16)
        let (busy, port) = try vsock.connectFromHost(1, allocation: 1 << 30)
        let (quiet, _) = try vsock.connectFromHost(2)
        let stop = Flag()
        let finished = Gate()
        nonisolated(unsafe) let socket = busy
        _ = try Thread(name: "busy") {
            let bytes = [UInt8](repeating: 1, count: 65536)
            while !stop.isSet, (try? socket.write(bytes)) != nil {}
            finished.open()
        }
        for _ in 0..<20 {
            try quiet.write([9])
            var others = 0
            while try vsock.receive(Packet.data).destinationPort != 2 { others += 1 }
            // Two rings of buffers, and what was on its way.
            #expect(others < 600)
        }
        stop.set()
        // Lets the writer go.
        try vsock.send(Packet(Packet.reset, from: 1, to: port))
        finished.wait()
    }

    @Test("more refused packets than RSTs find room: the guest's queue waits, and none is lost")
    func manyResets() throws {
        let vsock = try VsockHarness(buffers: 0)
        var posted: UInt32 = 0
        while vsock.tx.availableIndex &- vsock.tx.usedIndex < 100 {
            try vsock.post(Packet(Packet.data, from: posted, to: 1, [1]))
            posted += 1
            if posted % 32 == 0 {
                vsock.driver.kick(1)
                vsock.settle()
            }
            try #require(posted < 3000, "refused packets are taken without end")
        }
        #expect(try vsock.idleRounds() <= 2)
        try vsock.addBuffers(8)
        for port in 0..<posted { #expect(try vsock.receive(Packet.reset).destinationPort == port) }
        vsock.settle()
        #expect(!vsock.hasPacket && vsock.tx.usedIndex == vsock.tx.availableIndex)
    }

    @Test("a driver's reset in the middle of transfers ends all connections and no listener", arguments: [false, true])
    func resets(machineRestarts: Bool) throws {
        let vsock = try VsockHarness(direct: [("direct", 3)])
        let service = try HostService("\(vsock.path)_7")
        for _ in 0..<30 {
            let (client, port) = try vsock.connectFromHost()
            let (other, _) = try vsock.connectFromGuest(service, port: 7, from: 1)
            let waiting = try HostSocket(to: vsock.path)
            try waiting.write("CONN")
            let writer = try BackgroundWriter(client, [UInt8](repeating: 1, count: 1 << 20))
            for _ in 0..<8 {
                try vsock.post(Packet(Packet.data, from: 1, to: 7, [UInt8](repeating: 1, count: 30000)))
                try vsock.post(Packet(Packet.data, from: 52, to: port, [UInt8](repeating: 1, count: 30000)))
            }
            vsock.driver.kick(1)
            if machineRestarts { vsock.driver.transport.reset() } else { vsock.driver.status = 0 }
            let memory = try vsock.memory.bytes(at: vsock.rx.usedRing, count: 2054)
            writer.wait()
            _ = client.readToEnd()
            _ = other.readToEnd()
            #expect(try vsock.memory.bytes(at: vsock.rx.usedRing, count: 2054) == memory)
            try vsock.start()
            // Who was in the middle of the line goes on.
            try waiting.write("ECT 52\n")
            let request = try vsock.receive(Packet.request)
            try vsock.send(Packet(Packet.response, from: 52, to: request.sourcePort))
            #expect(try waiting.readLine().hasPrefix("OK "))
            waiting.close()
            _ = try vsock.receiveEnd()
        }
    }

    @Test("one device after the other serves the same listeners")
    func restart() throws {
        let directory = TemporaryDirectory()
        let host = try VsockListeners(connectPath: directory.path("s"))
        for _ in 0..<3 {
            let client = try HostSocket(to: directory.path("s"))
            try client.write("CONNECT 1\n")
            let loop = try LoopThread { loop in
                // The device outlives the start of the loop by the block below.
                let device = try VsockDevice(guestCID: 3, host: host, loop: loop)
                loop.perform { withExtendedLifetime(device) {} }
            }
            _ = loop
            // No driver: but somebody is there.
            #expect(client.readToEnd().isEmpty)
        }
    }

    @Test("thousands of connections, opened and closed by either side, leave no descriptor and no memory behind")
    func many() async throws {
        await #expect(processExitsWith: .success) {
            try limitDescriptors(10_000)
            let vsock = try VsockHarness(buffers: 200, bufferSize: 256, limits: VsockLimits(connections: 4000))
            let service = try HostService("\(vsock.path)_7", backlog: 1024)
            let first = try vsock.connectFromHost(1).0
            vsock.settle()
            let descriptors = try descriptorCount()
            for round in 0..<3 {
                var sockets: [HostSocket] = []
                var ports: [UInt32] = []
                for index in 0..<1000 as Range<UInt32> {
                    let (socket, port) = try vsock.connectFromHost(index + 10)
                    sockets.append(socket)
                    ports.append(port)
                    sockets.append(try vsock.connectFromGuest(service, port: 7, from: index + 10).0)
                }
                #expect(try descriptorCount() >= descriptors + 4000)
                for socket in sockets { try socket.write([1]) }
                for _ in sockets { #expect(try vsock.receive(GuestPacket.data).payload == [1]) }
                if round == 0 {
                    for socket in sockets { socket.close() }
                    var ended = 0
                    while ended < sockets.count {
                        let packet = try vsock.receiveEnd()
                        ended += 1
                        try vsock.post(GuestPacket(GuestPacket.reset, from: packet.destinationPort, to: packet.sourcePort))
                    }
                } else if round == 1 {
                    for index in 0..<1000 {
                        for port in [ports[index], 7] {
                            var shutdown = GuestPacket(GuestPacket.shutdown, from: UInt32(index) + 10, to: port)
                            shutdown.flags = 3
                            try vsock.post(shutdown)
                            vsock.driver.kick(1)
                            _ = try vsock.receive(GuestPacket.reset)
                        }
                    }
                } else {
                    vsock.driver.status = 0
                    try vsock.start(buffers: 200)
                }
                try vsock.waitForSent()
                for socket in sockets { socket.close() }
                vsock.settle()
                #expect(try descriptorCount() <= descriptors)
            }
            first.close()
        }
    }

    @Test("without descriptors left, clients wait and the loop does not spin; they are served when there are some again")
    func noDescriptors() async throws {
        await #expect(processExitsWith: .success) {
            let vsock = try VsockHarness()
            let timer = try OneShotTimer()
            let waiting = try UnixStream()
            try limitDescriptors(3)
            #expect(try waiting.connect(to: vsock.path))
            let socket = HostSocket(waiting)
            try socket.write("CONNECT 9\n")
            vsock.settle()
            let before = vsock.rounds.value
            timer.arm(nanoseconds: 250_000_000)
            try waitUntilReadable(timer.raw, "a quarter of a second")
            #expect((1...20).contains(vsock.rounds.value - before), "tried again ten times a second")
            #expect(socket.isEmpty && !vsock.hasPacket)
            try limitDescriptors(1000)
            #expect(try vsock.receive(GuestPacket.request).destinationPort == 9)
            socket.close()
        }
    }
}
