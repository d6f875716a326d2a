import Devices
import LinuxSystem
import TestSupport
import Testing

@Suite("Socket device: streams, credit and ends")
struct VsockStreamTests {
    private typealias Packet = GuestPacket

    private static func pattern(_ count: Int, seed: Int = 0) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: ($0 + seed) &* 31 ^ ($0 + seed) >> 8) }
    }

    /// Sends all bytes as a guest with this credit does, and returns the last packet that told of more.
    private func sendStream(_ bytes: [UInt8], _ vsock: VsockHarness, from guestPort: UInt32, to port: UInt32, allocation: Int,
                            packetSize: Int) throws {
        var sent = 0
        var forwarded = 0
        while sent < bytes.count {
            while vsock.hasPacket || sent - forwarded == allocation {
                let packet = try vsock.receive()
                #expect(packet.operation == Packet.creditUpdate && packet.length == 0)
                forwarded = Int(packet.forwarded)
                #expect(forwarded <= sent)
            }
            let count = min(packetSize, bytes.count - sent, allocation - (sent - forwarded))
            try vsock.post(Packet(Packet.data, from: guestPort, to: port, Array(bytes[sent..<sent + count])),
                           split: sent / packetSize % 2 == 0)
            if Int.random(in: 0..<4) == 0 { vsock.driver.kick(1) }
            sent += count
            if sent - forwarded == allocation { vsock.driver.kick(1) }
        }
        vsock.driver.kick(1)
    }

    @Test("a long stream reaches the host whole and in order, in packets of any size", arguments: [
        (1, 2000), (1000, 300_000), (4096, 3_000_000), (65536, 8_000_000),
    ], [0, MMIO.eventIndex])
    func toHost(shape: (Int, Int), features: UInt64) throws {
        let vsock = try VsockHarness(features: features)
        let (client, port) = try vsock.connectFromHost()
        let bytes = Self.pattern(shape.1)
        let reader = try BackgroundReader(client, count: bytes.count)
        try sendStream(bytes, vsock, from: 52, to: port, allocation: 256 << 10, packetSize: shape.0)
        #expect(try reader.wait() == bytes)
    }

    @Test("a long stream reaches the guest whole and in order, never beyond its credit, in buffers of any size", arguments: [
        (45, 1000, 64), (64, 5000, 1000), (4096, 2_000_000, 1 << 18), (4096, 300_000, 1500), (65536 + 44, 4_000_000, 1 << 18),
        (100_000, 2_000_000, 1 << 20),
    ] as [(UInt32, Int, UInt32)], [0, MMIO.eventIndex])
    func toGuest(shape: (bufferSize: UInt32, count: Int, allocation: UInt32), features: UInt64) throws {
        let vsock = try VsockHarness(bufferSize: shape.bufferSize, features: features)
        let (client, port) = try vsock.connectFromHost(allocation: shape.allocation)
        let bytes = Self.pattern(shape.count)
        let writer = try BackgroundWriter(client, bytes)
        var got: [UInt8] = []
        var announced: UInt32 = 0
        while got.count < bytes.count {
            let packet = try vsock.receive(Packet.data)
            #expect(packet.length > 0 && packet.payload.count == Int(packet.length))
            #expect(packet.payload.count <= Int(shape.bufferSize) - 44 && packet.payload.count <= 65536)
            got += packet.payload
            #expect(UInt32(got.count) - announced <= shape.allocation)
            if UInt32(got.count) - announced >= shape.allocation / 2 {
                announced = UInt32(got.count)
                var update = Packet(Packet.creditUpdate, from: 52, to: port)
                (update.allocation, update.forwarded) = (shape.allocation, announced)
                try vsock.post(update)
                vsock.driver.kick(1)
            }
        }
        #expect(got == bytes)
        writer.wait()
    }

    @Test("a host that does not read stops the guest's stream at exactly the buffer, which is told, and it goes on when it reads")
    func stalledHost() throws {
        let vsock = try VsockHarness()
        let (client, port) = try vsock.connectFromHost()
        let allocation = 256 << 10
        var sent = 0
        var forwarded = 0
        while sent - forwarded < allocation {
            let count = min(65536, allocation - (sent - forwarded))
            try vsock.post(Packet(Packet.data, from: 52, to: port, Self.pattern(count, seed: sent)))
            sent += count
            try vsock.waitForSent()
            vsock.settle()
            while vsock.hasPacket { forwarded = Int(try vsock.receive(Packet.creditUpdate).forwarded) }
        }
        // The kernel's socket took some; the rest waits. What was not announced can be asked for.
        try vsock.send(Packet(Packet.creditRequest, from: 52, to: port))
        let update = try vsock.receive(Packet.creditUpdate)
        #expect(update.allocation == UInt32(allocation))
        let room = allocation - (sent - Int(update.forwarded))
        #expect(room >= 0 && room < allocation / 2)
        try vsock.post(Packet(Packet.data, from: 52, to: port, Self.pattern(room, seed: sent)))
        sent += room
        try vsock.waitForSent()
        vsock.settle()
        #expect(!vsock.hasPacket)
        #expect(try client.read(sent) == Self.pattern(sent))
        #expect(try vsock.receive(Packet.creditUpdate).forwarded > update.forwarded)
        try vsock.send(Packet(Packet.data, from: 52, to: port, [9]))
        #expect(try client.read(1) == [9])
    }

    @Test("one byte more than the credit costs the guest the connection")
    func violation() throws {
        let vsock = try VsockHarness()
        let (client, port) = try vsock.connectFromHost()
        let (other, otherPort) = try vsock.connectFromHost()
        var resets = 0
        var sent = 0
        // Twice the buffer and what a unix socket holds: too much, whatever was forwarded.
        while resets == 0, sent < 4 << 20 {
            try vsock.post(Packet(Packet.data, from: 52, to: port, Self.pattern(65536)))
            sent += 65536
            try vsock.waitForSent()
            vsock.settle()
            while vsock.hasPacket, resets == 0 { if try vsock.receive().operation == Packet.reset { resets += 1 } }
        }
        #expect(resets == 1)
        _ = client.readToEnd()
        try vsock.send(Packet(Packet.data, from: 52, to: otherPort, [9]))
        #expect(try other.read(1) == [9])
    }

    @Test("the guest stops sending: the host reads the end, and may still send")
    func guestHalfCloses() throws {
        let vsock = try VsockHarness()
        let (client, port) = try vsock.connectFromHost()
        try vsock.post(Packet(Packet.data, from: 52, to: port, [1, 2]))
        var shutdown = Packet(Packet.shutdown, from: 52, to: port)
        shutdown.flags = 2
        try vsock.send(shutdown)
        #expect(client.readToEnd() == [1, 2])
        try client.write([3, 4])
        #expect(try vsock.receive(Packet.data).payload == [3, 4])
        // Data after its end is against the rules.
        try vsock.send(Packet(Packet.data, from: 52, to: port, [5]))
        _ = try vsock.receive(Packet.reset)
    }

    @Test("the guest stops receiving: the host's writes fail, and it may still read")
    func guestStopsReceiving() throws {
        let vsock = try VsockHarness()
        let (client, port) = try vsock.connectFromHost()
        var shutdown = Packet(Packet.shutdown, from: 52, to: port)
        shutdown.flags = 1
        try vsock.post(shutdown)
        try vsock.waitForSent()
        #expect(throws: (any Error).self) { try client.write([1]) }
        try vsock.send(Packet(Packet.data, from: 52, to: port, [7]))
        #expect(try client.read(1) == [7])
        client.close()
        // Nothing is left to be read: the end is whole.
        _ = try vsock.receiveEnd()
    }

    @Test("the host stops sending: the guest is told once it has everything, and may still send")
    func hostHalfCloses() throws {
        let vsock = try VsockHarness()
        let (client, port) = try vsock.connectFromHost(allocation: 1000)
        try client.write(Self.pattern(1500))
        client.endSending()
        var got: [UInt8] = []
        while got.count < 1000 { got += try vsock.receive(Packet.data).payload }
        vsock.settle()
        #expect(!vsock.hasPacket && got.count == 1000, "no credit, and no end before the data")
        var update = Packet(Packet.creditUpdate, from: 52, to: port)
        (update.allocation, update.forwarded) = (1000, 1000)
        try vsock.send(update)
        while got.count < 1500 { got += try vsock.receive(Packet.data).payload }
        #expect(got == Self.pattern(1500))
        #expect(try vsock.receive(Packet.shutdown).flags == 2)
        try vsock.send(Packet(Packet.data, from: 52, to: port, [7]))
        #expect(try client.read(1) == [7])
    }

    @Test("the host closes: the guest gets what was sent, then both flags, and its data goes nowhere; its RST ends it")
    func hostCloses() throws {
        let vsock = try VsockHarness()
        let (client, port) = try vsock.connectFromHost(allocation: 100)
        try client.write(Self.pattern(150))
        client.close()
        var got: [UInt8] = []
        var flags: UInt32 = 0
        while got.count < 100 || flags == 0 {
            let packet = try vsock.receive()
            got += packet.payload
            if packet.operation == Packet.shutdown { flags = packet.flags }
        }
        #expect(flags == 1, "nobody receives, but there is more to read")
        var data = Packet(Packet.data, from: 52, to: port, Self.pattern(1000))
        (data.allocation, data.forwarded) = (100, 100)
        try vsock.send(data)
        while got.count < 150 || flags != 3 {
            let packet = try vsock.receive()
            got += packet.payload
            if packet.operation == Packet.shutdown { flags = packet.flags }
        }
        #expect(got == Self.pattern(150))
        try vsock.post(Packet(Packet.reset, from: 52, to: port))
        try vsock.waitForSent()
        try vsock.send(Packet(Packet.creditRequest, from: 52, to: port))
        _ = try vsock.receive(Packet.reset)  // unknown from here on
    }

    @Test("a guest that never answers the host's end is reset after eight seconds")
    func closeTimeout() throws {
        let vsock = try VsockHarness()
        let (client, _) = try vsock.connectFromHost()
        client.close()
        let start = Clock.monotonicNanoseconds()
        _ = try vsock.receiveEnd()
        _ = try vsock.receive(Packet.reset)
        #expect(Clock.monotonicNanoseconds() - start >= 7_900_000_000)
    }

    @Test("the guest closes: the host gets everything first, then its end, and the guest an RST", arguments: [false, true])
    func guestCloses(hostIsSlow: Bool) throws {
        let vsock = try VsockHarness()
        let (client, port) = try vsock.connectFromHost()
        // More than the kernel's socket holds.
        let bytes = Self.pattern(hostIsSlow ? 256 << 10 : 1000)
        for start in stride(from: 0, to: bytes.count, by: 65536) {
            try vsock.post(Packet(Packet.data, from: 52, to: port, Array(bytes[start..<min(start + 65536, bytes.count)])))
        }
        var shutdown = Packet(Packet.shutdown, from: 52, to: port)
        shutdown.flags = 3
        try vsock.post(shutdown)
        try vsock.waitForSent()
        vsock.settle()
        if hostIsSlow {
            while vsock.hasPacket { _ = try vsock.receive(Packet.creditUpdate) }
        }
        #expect(client.readToEnd() == bytes)
        while try vsock.receive().operation != Packet.reset {}
        // The ports are free again.
        var again = Packet(Packet.data, from: 52, to: port, [1])
        again.flags = 0
        try vsock.send(again)
        _ = try vsock.receive(Packet.reset)
    }

    @Test("an RST of the guest's does not take along what the host has not read yet")
    func resetWithData() throws {
        let vsock = try VsockHarness()
        let service = try HostService("\(vsock.path)_9")
        let (client, _) = try vsock.connectFromGuest(service, port: 9, from: 5)
        let bytes = Self.pattern(256 << 10)
        for start in stride(from: 0, to: bytes.count, by: 65536) {
            try vsock.post(Packet(Packet.data, from: 5, to: 9, Array(bytes[start..<start + 65536])))
        }
        try vsock.post(Packet(Packet.reset, from: 5, to: 9))
        try vsock.waitForSent()
        while vsock.hasPacket { _ = try vsock.receive(Packet.creditUpdate) }
        // The same ports at once, for another connection.
        let (second, _) = try vsock.connectFromGuest(service, port: 9, from: 5)
        try vsock.send(Packet(Packet.data, from: 5, to: 9, [1]))
        #expect(try second.read(1) == [1])
        #expect(client.readToEnd() == bytes)
    }
}

/// Reads so many bytes on a thread of its own.
final class BackgroundReader: @unchecked Sendable {
    // Sound: `result` is written before the gate opens and read after it.
    private var result: Result<[UInt8], any Error> = .success([])
    private let done = Gate()

    init(_ socket: HostSocket, count: Int) throws {
        nonisolated(unsafe) let socket = socket
        _ = try Thread(name: "reader") { [self] in
            result = Result { try socket.read(count) }
            done.open()
        }
    }

    func wait() throws -> [UInt8] {
        done.wait()
        return try result.get()
    }
}

/// Writes bytes on a thread of its own.
final class BackgroundWriter: Sendable {
    private let done = Gate()

    init(_ socket: HostSocket, _ bytes: [UInt8]) throws {
        nonisolated(unsafe) let socket = socket
        _ = try Thread(name: "writer") { [done] in
            try? socket.write(bytes)
            done.open()
        }
    }

    func wait() { done.wait() }
}
