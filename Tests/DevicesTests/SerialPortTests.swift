import Devices
import Synchronization
import Testing

/// A serial port with its surroundings recorded.
final class SerialHarness: Sendable {
    struct Log {
        var output: [UInt8] = []
        var levels: [Bool] = []
        var roomCalls = 0
    }

    private final class Recorder: Sendable { let log = Mutex(Log()) }
    private let recorder = Recorder()
    let port: SerialPort

    init() {
        let recorder = recorder
        port = SerialPort(
            output: { byte in recorder.log.withLock { $0.output.append(byte) } },
            setInterrupt: { level in recorder.log.withLock { $0.levels.append(level) } },
            roomForInput: { recorder.log.withLock { $0.roomCalls += 1 } })
    }

    subscript(_ register: UInt16) -> UInt8 {
        get { UInt8(truncatingIfNeeded: port.read(offset: register, size: 1)) }
        set { port.write(offset: register, size: 1, value: UInt32(newValue)) }
    }

    func receive(_ bytes: [UInt8]) -> Int { port.receive(bytes[...]) }
    var output: [UInt8] { recorder.log.withLock { $0.output } }
    var levels: [Bool] { recorder.log.withLock { $0.levels } }
    /// The interrupt line now.
    var line: Bool { levels.last ?? false }
    var roomCalls: Int { recorder.log.withLock { $0.roomCalls } }
}

/// Registers of the 16550A, at offsets from its base.
enum UART {
    static let data: UInt16 = 0, ier: UInt16 = 1, iir: UInt16 = 2, fcr: UInt16 = 2, lcr: UInt16 = 3, mcr: UInt16 = 4
    static let lsr: UInt16 = 5, msr: UInt16 = 6, scr: UInt16 = 7
}

@Suite("Serial port")
struct SerialPortTests {
    private let uart = SerialHarness()

    @Test("the scratch register keeps any byte")
    func scratch() {
        for value in UInt8.min...UInt8.max {
            uart[UART.scr] = value
            #expect(uart[UART.scr] == value)
        }
    }

    @Test("with DLAB set the first two registers are the divisor, and nothing is sent")
    func divisorLatch() {
        uart[UART.ier] = 0x05
        uart[UART.lcr] = 0x83
        uart[UART.data] = 0x34
        uart[UART.ier] = 0x12
        #expect(uart[UART.data] == 0x34 && uart[UART.ier] == 0x12)
        #expect(uart[UART.lcr] == 0x83)
        uart[UART.lcr] = 0x03
        #expect(uart[UART.ier] == 0x05)
        #expect(uart.output.isEmpty)
        uart[UART.lcr] = 0x80
        #expect(uart[UART.data] == 0x34 && uart[UART.ier] == 0x12)
    }

    @Test("IER keeps its four bits and no others")
    func interruptEnable() {
        uart[UART.ier] = 0xFF
        #expect(uart[UART.ier] == 0x0F)
    }

    @Test("bytes leave in order, and the transmitter is always empty")
    func send() {
        for byte in Array("hello".utf8) {
            uart[UART.data] = byte
            #expect(uart[UART.lsr] == 0x60)
        }
        #expect(uart.output == Array("hello".utf8))
    }

    @Test("FIFOs show in IIR while they are enabled")
    func fifoBits() {
        #expect(uart[UART.iir] == 0x01)
        uart[UART.fcr] = 0x01
        #expect(uart[UART.iir] == 0xC1)
        uart[UART.fcr] = 0x00
        #expect(uart[UART.iir] == 0x01)
    }

    @Test("what Linux's autoconfig looks for is there: a 16550A")
    func autoconfig() {
        uart[UART.ier] = 0
        #expect(uart[UART.ier] & 0x0F == 0)
        uart[UART.ier] = 0x0F
        #expect(uart[UART.ier] & 0x0F == 0x0F)
        uart[UART.ier] = 0
        let saved = uart[UART.mcr]
        uart[UART.mcr] = 0x1A  // loopback, OUT2, RTS
        #expect(uart[UART.msr] & 0xF0 == 0x90)
        uart[UART.mcr] = saved
        uart[UART.fcr] = 0x01
        #expect(uart[UART.iir] >> 6 == 3)
        // No enhanced feature register, no 64-byte FIFO.
        uart[UART.lcr] = 0x80
        #expect(uart[UART.iir] != 0)
        uart[UART.lcr] = 0
        uart[UART.fcr] = 0x21
        #expect(uart[UART.iir] >> 5 == 6)
    }

    @Test("in loopback mode the modem inputs are the outputs", arguments: [
        (0x00, 0x00), (0x01, 0x20), (0x02, 0x10), (0x04, 0x40), (0x08, 0x80), (0x0F, 0xF0),
    ] as [(UInt8, UInt8)])
    func loopbackModem(outputs: UInt8, inputs: UInt8) {
        uart[UART.mcr] = 0x10 | outputs
        #expect(uart[UART.msr] & 0xF0 == inputs)
        #expect(uart[UART.mcr] == 0x10 | outputs)
    }

    @Test("outside loopback mode a peer is there and ready; changes are reported once")
    func modem() {
        #expect(uart[UART.msr] == 0xB0)
        uart[UART.mcr] = 0x10
        #expect(uart[UART.msr] == 0x0B)  // CTS, DSR and DCD went away
        #expect(uart[UART.msr] == 0x00)
        uart[UART.mcr] = 0x14
        #expect(uart[UART.msr] == 0x40)
        uart[UART.mcr] = 0x10
        #expect(uart[UART.msr] == 0x04)  // the end of a ring
        uart[UART.ier] = 0x08
        #expect(!uart.line)
        uart[UART.mcr] = 0x11
        #expect(uart.line && uart[UART.iir] == 0x00)
        _ = uart[UART.msr]
        #expect(!uart.line && uart[UART.iir] == 0x01)
    }

    @Test("in loopback mode bytes come back and none leave")
    func loopbackData() {
        uart[UART.fcr] = 0x01
        uart[UART.mcr] = 0x10
        for byte in 1...3 as ClosedRange<UInt8> { uart[UART.data] = byte }
        #expect(uart[UART.lsr] == 0x61)
        #expect((0..<3).map { _ in uart[UART.data] } == [1, 2, 3])
        #expect(uart[UART.lsr] == 0x60)
        #expect(uart.output.isEmpty)
        #expect(uart.receive([9]) == 0)
    }

    @Test("a byte more than the receiver holds is an overrun, reported once and first of all",
          arguments: [(0, 1), (1, 16)])
    func overrun(fifo: UInt8, capacity: Int) {
        uart[UART.fcr] = fifo
        uart[UART.mcr] = 0x10
        uart[UART.ier] = 0x07
        for byte in 0..<capacity { uart[UART.data] = UInt8(byte) }
        #expect(uart[UART.lsr] & 0x02 == 0)
        uart[UART.data] = 0xEE
        #expect(uart[UART.iir] & 0x0F == 0x06)
        #expect(uart[UART.lsr] & 0x02 != 0)
        #expect(uart[UART.lsr] & 0x02 == 0)
        #expect(uart[UART.iir] & 0x0F == 0x04)
        #expect((0..<capacity).map { _ in Int(uart[UART.data]) } == Array(0..<capacity))
    }

    // MARK: Interrupts

    @Test("the transmitter's interrupt comes when it is enabled, goes when IIR is read, and comes with each byte")
    func transmitterEmpty() {
        uart[UART.ier] = 0x02
        #expect(uart.line)
        #expect(uart[UART.iir] == 0x02)
        #expect(!uart.line)
        #expect(uart[UART.iir] == 0x01)
        uart[UART.data] = 65
        #expect(uart.line)
        #expect(uart[UART.iir] == 0x02)
        #expect(!uart.line)
        uart[UART.ier] = 0x02
        #expect(!uart.line, "it was enabled before")
        uart[UART.ier] = 0x00
        uart[UART.ier] = 0x02
        #expect(uart.line)
        uart[UART.ier] = 0x00
        #expect(!uart.line)
    }

    @Test("received data raises the line until all is read, and goes before the transmitter")
    func received() {
        uart[UART.fcr] = 0x01
        #expect(uart.receive([7, 8]) == 2)
        #expect(!uart.line)
        uart[UART.ier] = 0x03
        #expect(uart.line)
        #expect(uart[UART.iir] == 0xC4)
        #expect(uart[UART.iir] == 0xC4, "reading IIR does not clear it")
        #expect(uart[UART.data] == 7)
        #expect(uart[UART.iir] == 0xC4)
        #expect(uart[UART.data] == 8)
        #expect(uart[UART.iir] == 0xC2)
        #expect(!uart.line)
        #expect(uart[UART.data] == 0)
    }

    @Test("the line is set only when its level changes")
    func levels() {
        uart[UART.ier] = 0x03
        _ = uart.receive([1])
        uart[UART.data] = 65
        _ = uart[UART.data]
        _ = uart[UART.iir]
        _ = uart[UART.iir]
        #expect(uart.levels == [true, false])
    }

    @Test("any access of any width leaves the port working")
    func widths() {
        for offset in 0..<16 as Range<UInt16> {
            for size in [1, 2, 4] {
                _ = uart.port.read(offset: offset, size: size)
                uart.port.write(offset: offset, size: size, value: .max)
            }
        }
        #expect(uart[8] == 0xFF)
        uart[UART.lcr] = 0
        uart[UART.mcr] = 0
        let before = uart.output.count
        uart[UART.data] = 65
        #expect(uart.output.count == before + 1)
    }
}
