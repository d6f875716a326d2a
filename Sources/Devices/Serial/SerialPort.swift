import Synchronization

/// A 16550A UART (National Semiconductor PC16550D data sheet) that sends and receives without delay.
///
/// Registers are accessed from vCPU threads, `receive` from the console's.
public final class SerialPort: PortDevice {
    /// Takes the bytes the guest sends: from vCPU threads, one at a time. Must not block.
    public typealias OutputHandler = @Sendable (UInt8) -> Void

    private let state: Mutex<SerialState>
    private let output: OutputHandler
    private let setInterrupt: InterruptLevelHandler
    private let roomForInput: @Sendable () -> Void

    /// - Parameter roomForInput: called when input that was turned away would be taken again: the guest has emptied the
    ///   receiver's FIFO, by reading or by clearing it, or has left loopback mode.
    public init(
        output: @escaping OutputHandler, setInterrupt: @escaping InterruptLevelHandler,
        roomForInput: @escaping @Sendable () -> Void = {}
    ) {
        state = Mutex(SerialState())
        self.output = output
        self.setInterrupt = setInterrupt
        self.roomForInput = roomForInput
    }

    /// Puts bytes into the receiver's FIFO, as many as it takes; returns their count.
    public func receive(_ bytes: ArraySlice<UInt8>) -> Int {
        state.withLock { state in
            let count = state.receive(bytes)
            updateInterrupt(&state)
            return count
        }
    }

    public func read(offset: UInt16, size: Int) -> UInt32 {
        let (value, hasRoom) = state.withLock { state in
            let before = state.awaitsInput
            let value = state.read(offset)
            updateInterrupt(&state)
            return (value, !before && state.awaitsInput)
        }
        if hasRoom { roomForInput() }
        return UInt32(value)
    }

    public func write(offset: UInt16, size: Int, value: UInt32) {
        let (sent, hasRoom) = state.withLock { state in
            let before = state.awaitsInput
            let sent = state.write(offset, UInt8(truncatingIfNeeded: value))
            updateInterrupt(&state)
            return (sent, !before && state.awaitsInput)
        }
        if let sent { output(sent) }
        if hasRoom { roomForInput() }
    }

    /// The registers and the receiver's FIFO now. From any thread; whoever wants them to go with the rest of a machine keeps its
    /// guest from running.
    public var snapshot: SerialPortState { state.withLock { $0.saved } }

    /// Takes over saved registers, and sets the interrupt line to their level, whatever it was. What no guest could have made is
    /// cut to what one could. Nothing is sent; what had been received here before is lost. From any thread.
    public func restore(_ saved: SerialPortState) {
        let hasRoom = state.withLock { state in
            state = SerialState(saved)
            state.line = state.wantsInterrupt
            setInterrupt(state.line)
            return state.awaitsInput
        }
        // Whoever was turned away before would wait for ever, where this FIFO is empty.
        if hasRoom { roomForInput() }
    }

    private func updateInterrupt(_ state: inout SerialState) {
        let level = state.wantsInterrupt
        if level != state.line {
            state.line = level
            setInterrupt(level)
        }
    }
}
