/// What a `SerialPort` keeps: its registers (PC16550D data sheet), and what nothing but they show of it.
public struct SerialPortState: Equatable, Sendable {
    /// IER, bits 0 to 3.
    public var interruptEnable: UInt8 = 0
    /// FCR, as last written.
    public var fifoControl: UInt8 = 0
    /// LCR.
    public var lineControl: UInt8 = 0
    /// MCR, bits 0 to 4.
    public var modemControl: UInt8 = 0
    /// LSR's overrun error, bit 1, until it is read. The other bits follow from the rest.
    public var lineStatus: UInt8 = 0
    /// MSR's changes, bits 0 to 3, until they are read. The other bits follow from MCR.
    public var modemStatus: UInt8 = 0
    /// SCR.
    public var scratch: UInt8 = 0
    /// DLL and, in the upper half, DLM.
    public var divisor: UInt16 = 0
    /// The interrupts, as bits of IER, that are pending and that none of the other registers show: the transmitter's, bit 1.
    public var pendingInterrupts: UInt8 = 0
    /// What is in the receiver's FIFO, the first to be read first: at most 16 bytes, and one where FCR has FIFOs off.
    public var received: [UInt8] = []

    /// Registers of zeros.
    public init() {}
}
