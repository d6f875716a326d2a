import Devices
import GuestMemory
import LinuxSystem
import TestSupport
import Testing

@Suite("Socket device: packets that are wrong")
struct VsockPacketTests {
    private typealias Packet = GuestPacket

    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        /// Whether it is answered by an RST; by nothing otherwise.
        let isReset: Bool
        let packet: @Sendable (_ port: UInt32) -> GuestPacket
        /// Whether the connection that existed before is gone.
        var endsConnection = false
    }

    private static func packet(_ operation: UInt16, from guest: UInt32 = 52, to host: UInt32, _ payload: [UInt8] = [],
                               _ change: (inout GuestPacket) -> Void = { _ in }) -> GuestPacket {
        var packet = GuestPacket(operation, from: guest, to: host, payload)
        change(&packet)
        return packet
    }

    static let cases: [Case] = [
        Case(testDescription: "data of an unknown connection", isReset: true) { _ in packet(5, from: 1, to: 1, [1]) },
        Case(testDescription: "RESPONSE of an unknown connection", isReset: true) { _ in packet(2, from: 1, to: 1) },
        Case(testDescription: "SHUTDOWN of an unknown connection", isReset: true) { _ in packet(4, from: 1, to: 1) },
        Case(testDescription: "CREDIT_UPDATE of an unknown connection", isReset: true) { _ in packet(6, from: 1, to: 1) },
        Case(testDescription: "CREDIT_REQUEST of an unknown connection", isReset: true) { _ in packet(7, from: 1, to: 1) },
        Case(testDescription: "RST of an unknown connection", isReset: false) { _ in packet(3, from: 1, to: 1) },
        Case(testDescription: "RST with a wrong destination", isReset: false) { packet(3, to: $0) { $0.destinationCID = 3 } },
        Case(testDescription: "an unknown operation", isReset: true, packet: { packet(8, to: $0) }, endsConnection: true),
        Case(testDescription: "operation 0", isReset: true, packet: { packet(0, to: $0) }, endsConnection: true),
        Case(testDescription: "operation 65535 of nobody", isReset: true) { _ in packet(.max, from: 1, to: 1) },
        Case(testDescription: "REQUEST of a connection that exists", isReset: true, packet: { packet(1, to: $0) },
             endsConnection: true),
        Case(testDescription: "RESPONSE twice", isReset: true, packet: { packet(2, to: $0) }, endsConnection: true),
        Case(testDescription: "a seqpacket REQUEST", isReset: true) { _ in packet(1, from: 1, to: 1) { $0.type = 2 } },
        Case(testDescription: "data of an unknown type", isReset: true) { packet(5, to: $0, [1]) { $0.type = 0 } },
        Case(testDescription: "a wrong destination", isReset: true) { packet(5, to: $0, [1]) { $0.destinationCID = 1 } },
        Case(testDescription: "a wrong source", isReset: false) { packet(5, to: $0, [1]) { $0.sourceCID = 43 } },
        Case(testDescription: "a wrong source, all ones", isReset: false) { packet(1, to: $0) { $0.sourceCID = .max } },
        Case(testDescription: "a length beyond the chain", isReset: true, packet: { packet(5, to: $0, [1, 2]) { $0.length = 3 } },
             endsConnection: true),
        Case(testDescription: "a length of 4 GiB", isReset: true, packet: { packet(5, to: $0, [1, 2]) { $0.length = .max } },
             endsConnection: true),
        Case(testDescription: "a length without payload", isReset: true, packet: { packet(5, to: $0) { $0.length = 1 } },
             endsConnection: true),
        Case(testDescription: "no length, no payload", isReset: false) { packet(5, to: $0) },
        Case(testDescription: "unknown SHUTDOWN flags", isReset: false) { packet(4, to: $0) { $0.flags = 0xFFFF_FFFC } },
        Case(testDescription: "REQUEST to a port nobody listens on", isReset: true) { _ in packet(1, from: 9, to: .max) },
    ]

    @Test("each is answered as the specification says, and other connections go on", arguments: cases)
    func table(test: Case) throws {
        let vsock = try VsockHarness()
        let (client, port) = try vsock.connectFromHost()
        let (other, otherPort) = try vsock.connectFromHost(53)
        let packet = test.packet(port)
        try vsock.post(packet)
        try vsock.waitForSent()
        vsock.settle()
        if test.isReset {
            let reset = try vsock.receive(Packet.reset)
            #expect(reset.sourceCID == packet.destinationCID && reset.destinationCID == packet.sourceCID)
            #expect(reset.sourcePort == packet.destinationPort && reset.destinationPort == packet.sourcePort)
            #expect(reset.type == packet.type && reset.length == 0)
        }
        #expect(!vsock.hasPacket)
        if test.endsConnection {
            #expect(client.readToEnd().isEmpty)
        } else {
            try vsock.send(Packet(Packet.data, from: 52, to: port, [7]))
            #expect(try client.read(1) == [7])
        }
        try vsock.send(Packet(Packet.data, from: 53, to: otherPort, [8]))
        #expect(try other.read(1) == [8])
    }

    @Test("before the guest has accepted, only RESPONSE and RST have a meaning", arguments: [1, 4, 5, 6, 7, 0, 99] as [UInt16])
    func tooEarly(operation: UInt16) throws {
        let vsock = try VsockHarness()
        let client = try HostSocket(to: vsock.path)
        try client.write("CONNECT 52\n")
        let request = try vsock.receive(Packet.request)
        try vsock.send(Packet(operation, from: 52, to: request.sourcePort))
        _ = try vsock.receive(Packet.reset)
        #expect(client.readToEnd().isEmpty)
    }

    @Test("a chain too short for a header is used and forgotten; so is one to be written")
    func short() throws {
        let vsock = try VsockHarness()
        let (client, port) = try vsock.connectFromHost()
        for count in [1, 28, 43] { try vsock.post([UInt8](repeating: 1, count: count)) }
        let packet = Packet(Packet.data, from: 52, to: port, [1])
        try vsock.memory.write(packet.header + [1], at: 0xF00_0000)
        try vsock.tx.add([.readable(0xF00_0000, 45), .writable(0xF00_1000, 100)])
        vsock.driver.kick(1)
        try vsock.driver.wait(for: vsock.tx, used: vsock.tx.availableIndex)
        #expect(client.isEmpty)
        try vsock.tx.add([.readable(0xF00_0000, 20), .readable(0xF00_0014, 24), .readable(0xF00_002C, 1)])
        vsock.driver.kick(1)
        #expect(try client.read(1) == [1], "a header in parts is a header")
    }

    @Test("buffers that are not RAM, or not what their queue is for, stop the device; a reset makes it whole", arguments: 0..<6)
    func stops(kind: Int) throws {
        let vsock = try VsockHarness(buffers: 0)
        for _ in 0..<3 {
            let waiting = try HostSocket(to: vsock.path)
            try waiting.write("CONNECT 52\n")
            switch kind {
            case 0: try vsock.tx.add([.readable(0xC000_0000, 44)])
            case 1: try vsock.tx.add([.readable((256 << 20) - 20, 44)])  // across the end of RAM
            case 2: vsock.tx.availableIndex = 257
            case 3: try vsock.rx.add([.writable(0xF00_0000, 44)])  // no room for a byte
            case 4: try vsock.rx.add([.readable(0xF00_0000, 4096)])
            default: try vsock.rx.add([.writable(0xFFFF_FFFF_FFFF_F000, 4096)])
            }
            vsock.driver.kick(kind < 3 ? 1 : 0)
            try vsock.driver.waitForNeedsReset()
            #expect(waiting.readToEnd().isEmpty)
            try vsock.start()
            _ = try vsock.connectFromHost()
            vsock.driver.status = 0
            try vsock.start(buffers: 0)
        }
    }

    @Test("a header that changes while it is looked at does no harm")
    func changingHeader() throws {
        let vsock = try VsockHarness()
        let (client, port) = try vsock.connectFromHost()
        let address: GuestAddress = 0xF00_0000
        let good = Packet(Packet.data, from: 52, to: port, [UInt8](repeating: 5, count: 64))
        try vsock.memory.write(good.header + good.payload, at: address)
        let stop = Flag()
        let memory = vsock.memory
        let finished = Gate()
        _ = try Thread(name: "guest") {
            while !stop.isSet {
                try? memory.write(UInt32.max, at: address + 24)
                try? memory.write(64 as UInt32, at: address + 24)
            }
            finished.open()
        }
        var (head, resets) = (port, 0)
        var socket = client
        for _ in 0..<2000 {
            try vsock.memory.write(head, at: address + 20)
            try vsock.tx.add([.readable(address, 44), .readable(address + 44, 64)])
            vsock.driver.kick(1)
            try vsock.driver.wait(for: vsock.tx, used: vsock.tx.availableIndex)
            vsock.settle()
            while vsock.hasPacket {
                guard try vsock.receive().operation == Packet.reset else { continue }
                resets += 1
                (socket, head) = try vsock.connectFromHost()
            }
            if !socket.isEmpty { #expect(try socket.readSome().allSatisfy { $0 == 5 }) }
        }
        stop.set()
        finished.wait()
        #expect(resets < 2000, "the good length was seen too")
    }
}
