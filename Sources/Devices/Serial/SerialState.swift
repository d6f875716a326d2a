/// The registers of a 16550A and what moves between them.
struct SerialState {
    /// The level last given to the interrupt line.
    var line = false

    private var interruptEnable: UInt8 = 0
    private var fifoControl: UInt8 = 0
    private var lineControl: UInt8 = 0
    private var modemControl: UInt8 = 0
    private var scratch: UInt8 = 0
    /// 12: 9600 baud. Kept, and without effect.
    private var divisor: UInt16 = 12
    private var hasOverrun = false
    private var modemDelta: UInt8 = 0
    /// The transmitter became empty and the guest has not been told.
    private var transmitterEmptied = false
    /// The receiver's FIFO: 16 bytes, used as a ring.
    private var fifo: (UInt64, UInt64) = (0, 0)
    private var fifoStart = 0
    private var fifoCount = 0

    private enum Register {
        static let data: UInt16 = 0  // RBR, THR; DLL with DLAB
        static let interruptEnable: UInt16 = 1  // IER; DLM with DLAB
        static let interruptIdentification: UInt16 = 2  // IIR; FCR when written
        static let lineControl: UInt16 = 3  // LCR
        static let modemControl: UInt16 = 4  // MCR
        static let lineStatus: UInt16 = 5  // LSR
        static let modemStatus: UInt16 = 6  // MSR
        static let scratch: UInt16 = 7  // SCR
    }

    private enum Enable {
        static let received: UInt8 = 1
        static let transmitterEmpty: UInt8 = 2
        static let lineStatus: UInt8 = 4
        static let modemStatus: UInt8 = 8
        static let all: UInt8 = 0x0F
    }

    private enum Identification {
        static let none: UInt8 = 1
        static let modemStatus: UInt8 = 0
        static let transmitterEmpty: UInt8 = 2
        static let received: UInt8 = 4
        static let lineStatus: UInt8 = 6
        static let fifosEnabled: UInt8 = 0xC0
    }

    private enum Line {
        static let dataReady: UInt8 = 0x01
        static let overrun: UInt8 = 0x02
        static let transmitterEmpty: UInt8 = 0x60  // THRE and TEMT: bytes leave at once
    }

    private static let divisorLatch: UInt8 = 0x80  // LCR, DLAB
    private static let loopback: UInt8 = 0x10  // MCR
    private static let modemControlBits: UInt8 = 0x1F
    private static let modemDeltaBits: UInt8 = 0x0F  // MSR: DCTS, DDSR, TERI, DDCD
    private static let fifoEnable: UInt8 = 0x01  // FCR
    private static let clearReceiver: UInt8 = 0x02
    private static let fifoSize = 16

    /// The state after power-on.
    init() {}

    /// What `saved` says, as far as it can be.
    init(_ saved: SerialPortState) {
        interruptEnable = saved.interruptEnable & Enable.all
        fifoControl = saved.fifoControl
        lineControl = saved.lineControl
        modemControl = saved.modemControl & Self.modemControlBits
        scratch = saved.scratch
        divisor = saved.divisor
        modemDelta = saved.modemStatus & Self.modemDeltaBits
        transmitterEmptied = saved.pendingInterrupts & Enable.transmitterEmpty != 0
        for byte in saved.received.prefix(capacity) { push(byte) }
        hasOverrun = saved.lineStatus & Line.overrun != 0
    }

    var saved: SerialPortState {
        var saved = SerialPortState()
        saved.interruptEnable = interruptEnable
        saved.fifoControl = fifoControl
        saved.lineControl = lineControl
        saved.modemControl = modemControl
        saved.lineStatus = hasOverrun ? Line.overrun : 0
        saved.modemStatus = modemDelta
        saved.scratch = scratch
        saved.divisor = divisor
        saved.pendingInterrupts = transmitterEmptied ? Enable.transmitterEmpty : 0
        var rest = self
        while rest.fifoCount > 0 { saved.received.append(rest.pop()) }
        return saved
    }

    /// Whether a sender that was turned away should try again: the FIFO is empty, and the line is connected.
    var awaitsInput: Bool { fifoCount == 0 && modemControl & Self.loopback == 0 }

    private var capacity: Int { fifoControl & Self.fifoEnable != 0 ? Self.fifoSize : 1 }

    var wantsInterrupt: Bool { identification != Identification.none }

    /// The most urgent pending interrupt (data sheet, table of interrupt control functions). A character time-out needs no
    /// clock here: whatever is in the FIFO is reported at once, as if its trigger level were 1.
    private var identification: UInt8 {
        if interruptEnable & Enable.lineStatus != 0, hasOverrun { return Identification.lineStatus }
        if interruptEnable & Enable.received != 0, fifoCount > 0 { return Identification.received }
        if interruptEnable & Enable.transmitterEmpty != 0, transmitterEmptied { return Identification.transmitterEmpty }
        if interruptEnable & Enable.modemStatus != 0, modemDelta != 0 { return Identification.modemStatus }
        return Identification.none
    }

    /// Clear to send, data set ready, carrier detected; in loopback mode what the guest's own outputs say.
    private var modemStatus: UInt8 {
        guard modemControl & Self.loopback != 0 else { return 0xB0 }
        var status: UInt8 = 0
        if modemControl & 0x02 != 0 { status |= 0x10 }  // RTS to CTS
        if modemControl & 0x01 != 0 { status |= 0x20 }  // DTR to DSR
        if modemControl & 0x04 != 0 { status |= 0x40 }  // OUT1 to RI
        if modemControl & 0x08 != 0 { status |= 0x80 }  // OUT2 to DCD
        return status
    }

    mutating func receive(_ bytes: ArraySlice<UInt8>) -> Int {
        // In loopback mode the line is disconnected; the sender waits.
        guard modemControl & Self.loopback == 0 else { return 0 }
        let count = min(bytes.count, max(capacity - fifoCount, 0))
        for byte in bytes.prefix(count) { push(byte) }
        return count
    }

    mutating func read(_ offset: UInt16) -> UInt8 {
        let latch = lineControl & Self.divisorLatch != 0
        switch offset {
        case Register.data: return latch ? UInt8(divisor & 0xFF) : pop()
        case Register.interruptEnable: return latch ? UInt8(divisor >> 8) : interruptEnable
        case Register.interruptIdentification:
            let value = identification
            if value == Identification.transmitterEmpty { transmitterEmptied = false }
            return value | (fifoControl & Self.fifoEnable != 0 ? Identification.fifosEnabled : 0)
        case Register.lineControl: return lineControl
        case Register.modemControl: return modemControl
        case Register.lineStatus:
            let value = Line.transmitterEmpty | (fifoCount > 0 ? Line.dataReady : 0) | (hasOverrun ? Line.overrun : 0)
            hasOverrun = false
            return value
        case Register.modemStatus:
            defer { modemDelta = 0 }
            return modemStatus | modemDelta
        case Register.scratch: return scratch
        default: return 0xFF
        }
    }

    /// Returns the byte that leaves on the line, if the write sends one.
    mutating func write(_ offset: UInt16, _ value: UInt8) -> UInt8? {
        let latch = lineControl & Self.divisorLatch != 0
        switch offset {
        case Register.data where latch: divisor = divisor & 0xFF00 | UInt16(value)
        case Register.data: return send(value)
        case Register.interruptEnable where latch: divisor = divisor & 0x00FF | UInt16(value) << 8
        case Register.interruptEnable:
            // Enabling the transmitter's interrupt while it is empty reports that at once.
            if value & ~interruptEnable & Enable.transmitterEmpty != 0 { transmitterEmptied = true }
            interruptEnable = value & Enable.all
        case Register.interruptIdentification: writeFIFOControl(value)
        case Register.lineControl: lineControl = value
        case Register.modemControl: writeModemControl(value)
        case Register.scratch: scratch = value
        default: break
        }
        return nil
    }

    private mutating func send(_ byte: UInt8) -> UInt8? {
        transmitterEmptied = true
        guard modemControl & Self.loopback != 0 else { return byte }
        push(byte)
        return nil
    }

    private mutating func writeFIFOControl(_ value: UInt8) {
        // Switching FIFOs on or off empties them.
        if value & Self.clearReceiver != 0 || (value ^ fifoControl) & Self.fifoEnable != 0 { fifoCount = 0 }
        fifoControl = value
    }

    private mutating func writeModemControl(_ value: UInt8) {
        let before = modemStatus
        modemControl = value & Self.modemControlBits
        let changed = before ^ modemStatus
        // DCTS, DDSR and DDCD report any change, TERI only the end of a ring.
        modemDelta |= changed >> 4 & 0x0B | (before & ~modemStatus) >> 4 & 0x04
    }

    private mutating func push(_ byte: UInt8) {
        guard fifoCount < capacity else {
            hasOverrun = true
            return
        }
        withUnsafeMutableBytes(of: &fifo) { $0[(fifoStart + fifoCount) % Self.fifoSize] = byte }
        fifoCount += 1
    }

    private mutating func pop() -> UInt8 {
        guard fifoCount > 0 else { return 0 }
        let byte = withUnsafeBytes(of: fifo) { $0[fifoStart] }
        fifoStart = (fifoStart + 1) % Self.fifoSize
        fifoCount -= 1
        return byte
    }
}
