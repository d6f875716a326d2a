import LinuxSystem
import Synchronization
import Virtio

/// virtio-console (virtio 1.2, section 5.3) with its one port, which Linux calls hvc0: whole lines for one exit, where a serial
/// port takes one for each byte.
public final class ConsoleDevice: VirtioDevice, ConsoleInputPort {
    /// Takes bytes that the guest sends: from the loop's thread or, for emergency writes, a vCPU's. Must not block.
    public typealias OutputHandler = @Sendable (UnsafeRawBufferPointer) -> Void

    // VIRTIO_CONSOLE_F_SIZE and VIRTIO_CONSOLE_F_EMERG_WRITE (5.3.3).
    private static let sizeFeature: UInt64 = 1 << 0
    private static let emergencyWriteFeature: UInt64 = 1 << 2
    /// Offset of `emerg_wr` in the configuration space (struct virtio_console_config, 5.3.4).
    private static let emergencyWrite = 8
    private static let receiveQueue = 0
    private static let transmitQueue = 1

    /// What of one request is taken: its last MiB. No driver sends as much; a guest that names all of its memory as one line
    /// must not keep the loop busy for minutes.
    public static let requestLimit = 1 << 20

    private struct State {
        var size: TerminalSize?
        /// While the driver is active.
        var interrupt: DeviceInterrupt?
    }

    private let loop: EventLoop
    private let output: OutputHandler
    private let roomForInput: @Sendable () -> Void
    private let transmitter: QueueWorker
    private let receiver = ConsoleReceiver()
    private let watch = Mutex<EventLoop.Token?>(nil)
    private let state: Mutex<State>

    public let type = DeviceType.console
    public let features: UInt64
    public let queueSizes: [UInt16] = [64, 64]
    /// Emergency writes work on a device that nobody has set up (5.3.5).
    public let takesEarlyConfiguration = true

    /// - Parameters:
    ///   - loop: where output is taken.
    ///   - size: of the terminal behind the console; nil where there is none: the guest then is told of no size.
    ///   - roomForInput: called when input that was turned away would be taken again.
    public init(
        loop: EventLoop, size: TerminalSize?, output: @escaping OutputHandler,
        roomForInput: @escaping @Sendable () -> Void = {}
    ) {
        self.loop = loop
        self.output = output
        self.roomForInput = roomForInput
        transmitter = QueueWorker(loop: loop)
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
        state.withLock { $0.interrupt = context.interrupt }
        transmitter.start(context.part(Self.transmitQueue)) { [output] (chain) throws(QueueError) in try Self.take(chain, output) }
        guard let queue = context.queues[Self.receiveQueue] else { return }
        receiver.start(queue, context.interrupt)
        watchReceiveQueue(context)
        // Input may have waited for the driver.
        roomForInput()
    }

    public func reset() {
        transmitter.stop()
        receiver.stop()
        loop.performAndWait { [self] in
            if let token = watch.withLock({ $0.take() }) { loop.forget(token) }
        }
        state.withLock { $0.interrupt = nil }
    }

    /// The driver has put buffers into the receive queue that input waits for.
    private func watchReceiveQueue(_ context: DeviceContext) {
        let kick = context.kicks[Self.receiveQueue]
        loop.performAndWait { [self] in
            let token = try? loop.watch(kick.raw, for: .readable) { [roomForInput] _ in
                kick.take()
                roomForInput()
            }
            if token == nil { context.interrupt.fail() }
            watch.withLock { $0 = token }
        }
    }

    private static func take(_ chain: DescriptorChain, _ output: OutputHandler) throws(QueueError) -> Int {
        // 5.3.6.1: nothing for the device to write.
        guard chain.writableCount == 0 else { throw .request }
        let skipped = max(chain.readableCount - requestLimit, 0)
        chain.forEachSlice(writable: false, from: skipped, count: requestLimit) { slice in
            output(UnsafeRawBufferPointer(slice.buffer))
            return true
        }
        return 0
    }
}
