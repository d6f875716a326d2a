import Devices
import KVM
import LinuxSystem
import Synchronization

/// What a vCPU thread needs of its machine.
struct ProcessorBoard: Sendable {
    let ports: PortBus
    let virtio: VirtioBus
    /// Reports how the machine ended; only the first report counts.
    let end: @Sendable (MachineOutcome) -> Void
}

/// One vCPU and the thread that runs it.
final class ProcessorThread: Sendable {
    private let processor: VirtualProcessor
    private let board: ProcessorBoard
    private let stopping = Atomic<Bool>(false)
    /// The thread, for kicks: 0 before it runs and after it has ended.
    private let thread = Mutex<UInt>(0)
    private let finished = Gate()

    init(_ processor: VirtualProcessor, board: ProcessorBoard) {
        self.processor = processor
        self.board = board
    }

    func start() throws(Errno) {
        _ = try Thread(name: "vcpu-\(processor.id)") { [self] in
            thread.withLock { $0 = KickSignal.currentThread() }
            run()
            thread.withLock { $0 = 0 }
            finished.open()
        }
    }

    /// Ends the thread soon. From any thread, also this one.
    func requestStop() {
        stopping.store(true, ordering: .sequentiallyConsistent)
        // In this order: a thread about to enter the guest sees the request, one inside is kicked out.
        processor.requestExit()
        thread.withLock { if $0 != 0 { KickSignal.send(to: $0) } }
    }

    /// Waits for the end of a thread that was started.
    func waitForEnd() {
        finished.wait()
    }

    private func run() {
        do throws(KVMError) {
            while !stopping.load(ordering: .sequentiallyConsistent) {
                if let outcome = handle(try processor.runGuest()) { return board.end(outcome) }
            }
        } catch {
            board.end(.kvmError("\(error)"))
        }
    }

    /// Serves an exit; returns how the machine ended if it did.
    private func handle(_ exit: ProcessorExit) -> MachineOutcome? {
        switch exit {
        case .portRead(let access):
            for index in 0..<access.count {
                access.setValue(index, board.ports.read(port: access.port, size: access.size))
            }
        case .portWrite(let access):
            for index in 0..<access.count {
                board.ports.write(port: access.port, size: access.size, value: access.value(index))
            }
        case .mmioRead(let access):
            access.setValue(board.virtio.read(access.address, size: access.size))
        case .mmioWrite(let access):
            board.virtio.write(access.address, size: access.size, value: access.value)
        case .interrupted, .halted: break
        case .shutdown: return .tripleFault
        case .systemEvent(let event):
            return event == 1 ? .poweredOff : event == 2 ? .rebooted : .panicked
        case .failedEntry(let reason):
            return .kvmError("KVM could not enter the guest: hardware reason 0x\(String(reason, radix: 16)); is nested virtualization set up right?")
        case .internalError(let error): return .kvmError(FailureText.describe(error, processor: processor.id))
        case .unknown(let reason): return .kvmError("KVM stopped the guest for an unknown reason (exit \(reason))")
        }
        return nil
    }
}
