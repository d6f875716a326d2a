import Devices
import LinuxSystem
@testable import Machine
import TestSupport
import Testing

@Suite("Console input")
struct ConsoleInputTests {
    private let input = SerialInput()
    private let received: EventNotifier

    init() throws {
        received = try EventNotifier()
    }

    /// A serial port with FIFO and receiver interrupt switched on.
    private func makePort() -> SerialPort {
        let (input, received) = (input, received)
        let port = SerialPort(output: { _ in }, setInterrupt: { if $0 { received.signal() } },
                              roomForInput: { input.roomForInput() })
        port.write(offset: 2, size: 1, value: 1)
        port.write(offset: 1, size: 1, value: 1)
        return port
    }

    /// Reads like a guest: at each interrupt all that is there.
    private func read(_ port: SerialPort, _ count: Int) throws -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count {
            try received.wait("input")
            while port.read(offset: 5, size: 1) & 1 != 0 { bytes.append(UInt8(port.read(offset: 0, size: 1))) }
        }
        return bytes
    }

    private func send(_ bytes: [UInt8]) throws -> Gate {
        let (input, done) = (input, Gate())
        _ = try Thread(name: "sender") {
            input.send(bytes)
            done.open()
        }
        return done
    }

    @Test("all bytes reach the guest in order, sixteen at a time, and the sender waits for it")
    func order() throws {
        let bytes = (0..<1000).map { UInt8(truncatingIfNeeded: $0 * 3) }
        let port = makePort()
        input.attach(port)
        let done = try send(bytes)
        #expect(try read(port, bytes.count) == bytes)
        done.wait()
    }

    @Test("input waits for the first machine")
    func early() throws {
        let done = try send([1, 2, 3])
        let port = makePort()
        input.attach(port)
        done.wait()
        #expect(try read(port, 3) == [1, 2, 3])
    }

    @Test("after a restart the new machine gets what the old one had not taken")
    func restart() throws {
        let bytes = (0..<40).map { UInt8($0) }
        let old = makePort()
        input.attach(old)
        let done = try send(bytes)
        try received.wait("the first sixteen bytes")
        let new = makePort()
        input.attach(new)
        #expect(try read(new, 24) == Array(bytes[16...]))
        done.wait()
    }

    @Test("a guest that clears its FIFO without reading it does not stall the sender")
    func cleared() throws {
        let bytes = (0..<40).map { UInt8($0) }
        let port = makePort()
        input.attach(port)
        let done = try send(bytes)
        try received.wait("the first sixteen bytes")
        port.write(offset: 2, size: 1, value: 3)
        #expect(try read(port, 24) == Array(bytes[16...]))
        done.wait()
    }
}
