import LinuxSystem
import Synchronization
import Virtio

/// virtio-console (virtio 1.2, section 5.3) with its one port, which Linux calls hvc0: whole lines for one exit, where a serial
/// port takes one for each byte.
///
/// It has no thread: the vCPU that kicks takes the output. Linux waits for that actively, with interrupts off, until the buffer
/// is used (5.3.6); to have another thread woken meanwhile would cost more than the copy, and on a host with one processor a
/// time slice.
public final class ConsoleDevice: VirtioDevice, ConsoleInputPort {
    /// Takes bytes that the guest sends: from vCPU threads, one at a time. Must not block.
    public typealias OutputHandler = @Sendable (UnsafeRawBufferPointer) -> Void

    // VIRTIO_CONSOLE_F_SIZE and VIRTIO_CONSOLE_F_EMERG_WRITE (5.3.3).
    private static let sizeFeature: UInt64 = 1 << 0
    private static let emergencyWriteFeature: UInt64 = 1 << 2
    /// Offset of `emerg_wr` in the configuration space (struct virtio_console_config, 5.3.4).
    private static let emergencyWrite = 8
    private static let receiveQueue = 0
    private static let transmitQueue = 1

    private struct State {
        var size: TerminalSize?
        /// While the driver is active.
        var interrupt: DeviceInterrupt?
        /// Of the transmit queue, since then.
        var kickCount: UInt64 = 0
    }

    private let output: OutputHandler
    private let roomForInput: @Sendable () -> Void
    private let transmitter = Mutex<ConsoleTransmitter?>(nil)
    private let receiver = ConsoleReceiver()
    private let state: Mutex<State>

    public let type = DeviceType.console
    public let features: UInt64
    public let queueSizes: [UInt16] = [64, 64]
    /// Emergency writes work on a device that nobody has set up (5.3.5).
    public let takesEarlyConfiguration = true
    public let takesKicks = true

    /// - Parameters:
    ///   - size: of the terminal behind the console; nil where there is none: the guest then is told of no size.
    ///   - roomForInput: called when input that was turned away would be taken again.
    public init(
        size: TerminalSize?, output: @escaping OutputHandler, roomForInput: @escaping @Sendable () -> Void = {}
    ) {
        self.output = output
        self.roomForInput = roomForInput
        features = Self.emergencyWriteFeature | (size == nil ? 0 : Self.sizeFeature)
        state = Mutex(State(size: size))
    }

    /// cols and rows in 16 bits each, max_nr_ports and emerg_wr in 32, both of which read as zero.
    public var configuration: [UInt8] {
        let size = state.withLock { $0.size } ?? TerminalSize(columns: 0, rows: 0)
        return [size.columns, size.rows].flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] } + [UInt8](repeating: 0, count: 8)
    }

    /// The character of an emergency write is the lowest byte of the field; every other field is the device's.
    public func writeConfiguration(_ bytes: ArraySlice<UInt8>, at offset: Int) {
        let index = bytes.startIndex + Self.emergencyWrite - offset
        guard bytes.indices.contains(index) else { return }
        withUnsafeBytes(of: bytes[index]) { output($0) }
    }

    /// The terminal has another size. From any thread; without effect where there was no terminal at first.
    public func resize(_ size: TerminalSize) {
        let interrupt = state.withLock { state -> DeviceInterrupt? in
            guard let before = state.size, before != size else { return nil }
            state.size = size
            return state.interrupt
        }
        interrupt?.notifyConfigurationChange()
    }

    public func receive(_ bytes: ArraySlice<UInt8>) -> Int {
        receiver.receive(bytes)
    }

    public func activate(_ context: DeviceContext) {
        state.withLock { state in
            state.interrupt = context.interrupt
            state.kickCount = 0
        }
        if let queue = context.queues[Self.transmitQueue] {
            let transmitter = ConsoleTransmitter(queue, context.interrupt, output)
            self.transmitter.withLock { $0 = transmitter }
        }
        if let queue = context.queues[Self.receiveQueue] { receiver.start(queue, context.interrupt) }
        // Output may have come, and input may have waited, before the driver was ready.
        takeKick(Self.transmitQueue)
        takeKick(Self.receiveQueue)
    }

    public func takeKick(_ queue: Int) {
        // Input waits for the driver's buffers.
        if queue == Self.receiveQueue { return roomForInput() }
        defer { announceSize() }
        transmitter.withLock { transmitter in
            do throws(QueueError) {
                try transmitter?.takeAll()
            } catch {
                transmitter = nil
                state.withLock { $0.interrupt }?.fail()
            }
        }
    }

    /// Linux reads the size at a change only (config_work_handler of virtio_console.c), and not before it has put the port into its
    /// list, which nothing tells: so after the first kick, the second, the fourth and so on, a change is said to be.
    private func announceSize() {
        let interrupt = state.withLock { state -> DeviceInterrupt? in
            guard let size = state.size, size.columns > 0, state.interrupt != nil else { return nil }
            state.kickCount &+= 1
            return state.kickCount.nonzeroBitCount == 1 ? state.interrupt : nil
        }
        interrupt?.notifyConfigurationChange()
    }

    public func reset() {
        transmitter.withLock { $0 = nil }
        receiver.stop()
        state.withLock { $0.interrupt = nil }
    }
}
