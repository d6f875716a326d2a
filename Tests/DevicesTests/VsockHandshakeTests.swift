import Devices
import LinuxSystem
import TestSupport
import Testing

@Suite("Socket device: who connects to whom")
struct VsockHandshakeTests {
    private typealias Packet = GuestPacket

    @Test("type, features and the guest's CID are where the driver looks for them")
    func configuration() throws {
        let vsock = try VsockHarness()
        #expect(vsock.driver[MMIO.deviceID] == 19)
        #expect(vsock.driver.transport.read(offset: MMIO.configuration, size: 8) == VsockHarness.cid)
        #expect(vsock.driver.offeredFeatures & 0xFF_FFFF == 1)
        vsock.driver[MMIO.queueSel] = 2
        #expect(vsock.driver[MMIO.queueNumMax] > 0)
        vsock.driver[MMIO.queueSel] = 3
        #expect(vsock.driver[MMIO.queueNumMax] == 0)
    }

    @Test("CONNECT is answered with the host's port once the guest has accepted, and not before; the rest is the stream's",
          arguments: [0, MMIO.eventIndex])
    func connect(features: UInt64) throws {
        let vsock = try VsockHarness(features: features)
        let client = try HostSocket(to: vsock.path)
        try client.write("CONNECT 52\nfirst words")
        let request = try vsock.receive(Packet.request)
        #expect(request.sourceCID == 2 && request.destinationCID == VsockHarness.cid && request.destinationPort == 52)
        #expect(request.type == 1 && request.allocation == 256 << 10 && request.forwarded == 0 && request.length == 0)
        #expect(request.sourcePort >= 1 << 30)
        vsock.settle()
        #expect(client.isEmpty && !vsock.hasPacket)
        try vsock.send(Packet(Packet.response, from: 52, to: request.sourcePort))
        #expect(try client.readLine() == "OK \(request.sourcePort)\n")
        let data = try vsock.receive(Packet.data)
        #expect(data.payload == Array("first words".utf8) && data.length == 11)
        try vsock.send(Packet(Packet.data, from: 52, to: request.sourcePort, Array("answer".utf8)))
        #expect(try client.readText(6) == "answer")
        let (_, second) = try vsock.connectFromHost(52)
        #expect(second != request.sourcePort)
    }

    @Test("a CONNECT line that comes in pieces, two bytes at a time, is a line")
    func pieces() throws {
        let vsock = try VsockHarness()
        let client = try HostSocket(to: vsock.path)
        let line = Array("CONNECT 4294967294\nab".utf8)
        for start in stride(from: 0, to: line.count, by: 2) {
            try client.write(Array(line[start..<min(start + 2, line.count)]))
            vsock.settle()
        }
        let request = try vsock.receive(Packet.request)
        #expect(request.destinationPort == 4_294_967_294)
        try vsock.send(Packet(Packet.response, from: request.destinationPort, to: request.sourcePort))
        #expect(try client.readLine() == "OK \(request.sourcePort)\n")
        #expect(try vsock.receive(Packet.data).payload == Array("ab".utf8))
    }

    @Test("what is no CONNECT line costs the client the connection, and the guest hears nothing", arguments: [
        "\n", "CONNECT\n", "CONNECT \n", "CONNECT 0\n", "CONNECT 4294967295\n", "CONNECT 99999999999999999999999\n", "connect 5\n",
        "CONNECT  5\n", "CONNECT 5 \n", "CONNECT 5\r\n", "CONNECT -1\n", "CONNECT +1\n", "CONNECT 0x10\n", "CONNECT 5\0\n",
        "GET / HTTP/1.1\r\n", "CONNECT 000000000000000000000000001\n", "\u{1}", "CONNECT 5CONNECT 5CONNECT 5CONNECT 5",
    ])
    func garbage(line: String) throws {
        let vsock = try VsockHarness()
        let client = try HostSocket(to: vsock.path)
        try client.write(line)
        #expect(client.readToEnd().isEmpty)
        vsock.settle()
        #expect(!vsock.hasPacket)
        _ = try vsock.connectFromHost()
    }

    @Test("a client that goes before, inside or after CONNECT costs that connection only", arguments: [
        "", "CONN", "CONNECT 52", "CONNECT 52\n", "CONNECT 52\nbytes",
    ])
    func clientDies(words: String) throws {
        let vsock = try VsockHarness()
        let (steady, port) = try vsock.connectFromHost(9)
        for _ in 0..<20 {
            let client = try HostSocket(to: vsock.path)
            try client.write(words)
            client.close()
            guard words.contains("\n") else { continue }
            // What was said before is delivered, and then the end.
            let request = try vsock.receive(Packet.request)
            try vsock.send(Packet(Packet.response, from: 52, to: request.sourcePort))
            var bytes: [UInt8] = []
            var flags: UInt32 = 0
            while flags != 3 {
                let packet = try vsock.receive()
                if packet.operation == Packet.data { bytes += packet.payload }
                if packet.operation == Packet.shutdown { flags = packet.flags }
            }
            #expect(bytes == Array(words.utf8.dropFirst(11)))
            try vsock.send(Packet(Packet.reset, from: 52, to: request.sourcePort))
        }
        vsock.settle()
        #expect(!vsock.hasPacket)
        try vsock.send(Packet(Packet.data, from: 9, to: port, [1, 2, 3]))
        #expect(try steady.read(3) == [1, 2, 3])
        _ = try vsock.connectFromHost()
    }

    @Test("a guest that refuses costs the client the connection")
    func refused() throws {
        let vsock = try VsockHarness()
        let client = try HostSocket(to: vsock.path)
        try client.write("CONNECT 52\n")
        let request = try vsock.receive(Packet.request)
        try vsock.send(Packet(Packet.reset, from: 52, to: request.sourcePort))
        #expect(client.readToEnd().isEmpty)
        vsock.settle()
        #expect(!vsock.hasPacket)
    }

    @Test("without a driver that is ready, CONNECT and direct connections are closed")
    func noDriver() throws {
        let vsock = try VsockHarness(direct: [("direct", 7)], starts: false)
        for _ in 0..<2 {
            let client = try HostSocket(to: vsock.path)
            try client.write("CONNECT 52\n")
            #expect(client.readToEnd().isEmpty)
            #expect(try HostSocket(to: vsock.directory.path("direct")).readToEnd().isEmpty)
            try vsock.start()
            _ = try vsock.connectFromHost()
            vsock.driver.status = 0
        }
    }

    @Test("a direct socket goes to its port, with no word before or after the stream")
    func direct() throws {
        let vsock = try VsockHarness(direct: [("a", 7), ("b", 8)])
        for (name, port) in [("a", 7), ("b", 8)] as [(String, UInt32)] {
            let client = try HostSocket(to: vsock.directory.path(name))
            let request = try vsock.receive(Packet.request)
            #expect(request.destinationPort == port)
            try client.write("CONNECT 52\n")
            vsock.settle()
            #expect(client.isEmpty)
            try vsock.send(Packet(Packet.response, from: port, to: request.sourcePort))
            #expect(try vsock.receive(Packet.data).payload == Array("CONNECT 52\n".utf8))
            try vsock.send(Packet(Packet.data, from: port, to: request.sourcePort, [42]))
            #expect(try client.read(1) == [42])
            client.close()
            _ = try vsock.receiveEnd()
        }
    }

    @Test("the guest's connection goes to the socket named after the port, or is refused")
    func fromGuest() throws {
        let vsock = try VsockHarness()
        for round in 0..<3 as Range<UInt32> {
            try vsock.send(Packet(Packet.request, from: 1000 + round, to: 5000))
            let reset = try vsock.receive(Packet.reset)
            #expect(reset.sourcePort == 5000 && reset.destinationPort == 1000 + round && reset.sourceCID == 2)
        }
        let service = try HostService("\(vsock.path)_5000")
        let (socket, allocation) = try vsock.connectFromGuest(service, port: 5000, from: 1001)
        #expect(allocation == 256 << 10)
        try vsock.send(Packet(Packet.data, from: 1001, to: 5000, Array("hello".utf8)))
        #expect(try socket.readText(5) == "hello")
        try socket.write("world")
        #expect(try vsock.receive(Packet.data).payload == Array("world".utf8))
    }

    @Test("a full backlog is waited for, up to two seconds, and then refused")
    func backlog() throws {
        let vsock = try VsockHarness()
        let service = try HostService("\(vsock.path)_1", backlog: 0)
        // One more than the backlog says is let in.
        try vsock.send(Packet(Packet.request, from: 1, to: 1))
        _ = try vsock.receive(Packet.response)
        try vsock.send(Packet(Packet.request, from: 2, to: 1))
        vsock.settle()
        #expect(!vsock.hasPacket)
        let first = try service.accept()
        #expect(try vsock.receive(Packet.response).destinationPort == 2)
        let start = Clock.monotonicNanoseconds()
        try vsock.send(Packet(Packet.request, from: 3, to: 1))
        #expect(try vsock.receive(Packet.reset).destinationPort == 3)
        #expect(Clock.monotonicNanoseconds() - start >= 2_000_000_000)
        // Data before the answer is no way to begin.
        try vsock.send(Packet(Packet.request, from: 4, to: 1))
        try vsock.send(Packet(Packet.data, from: 4, to: 1, [1]))
        #expect(try vsock.receive(Packet.reset).destinationPort == 4)
        first.close()
    }

    @Test("clients that never finish CONNECT are bounded: the oldest goes; so are connections: the newest is refused")
    func bounds() throws {
        let vsock = try VsockHarness(limits: VsockLimits(connections: 12, handshakes: 4))
        var idle = try (0..<4).map { _ in try HostSocket(to: vsock.path) }
        vsock.settle()
        for round in 0..<8 {
            idle.append(try HostSocket(to: vsock.path))
            #expect(idle[round].readToEnd().isEmpty)
        }
        for client in idle.suffix(4) { #expect(client.isEmpty) }
        let connections = try (0..<4).map { try vsock.connectFromHost(UInt32($0 + 1)).0 }
        idle = []
        vsock.settle()
        let more = try (4..<12).map { try vsock.connectFromHost(UInt32($0 + 1)).0 }
        #expect(try HostSocket(to: vsock.path).readToEnd().isEmpty)
        let service = try HostService("\(vsock.path)_1")
        try vsock.send(Packet(Packet.request, from: 1, to: 1))
        _ = try vsock.receive(Packet.reset)
        for client in connections + more { #expect(client.isEmpty) }
        _ = service
    }

    @Test("listeners are bound at once, say what is wrong, and take their names with them")
    func listeners() throws {
        let directory = TemporaryDirectory()
        let path = directory.path("s")
        do {
            let listeners = try VsockListeners(connectPath: path, directPorts: [.init(path: path + "d", guestPort: 1)])
            let error = #expect(throws: VsockListenerError.self) { try VsockListeners(connectPath: path) }
            #expect(error?.description.hasPrefix(path) == true && error?.description.contains("in use") == true)
            withExtendedLifetime(listeners) {}
        }
        _ = try VsockListeners(connectPath: nil, directPorts: [.init(path: path, guestPort: 1)])
        let long = "/" + String(repeating: "x", count: 96)
        #expect(throws: VsockListenerError.self) { try VsockListeners(connectPath: long) }
        #expect(try fileNames(directory.path).isEmpty)
    }
}
