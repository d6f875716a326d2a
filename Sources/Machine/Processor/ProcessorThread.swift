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
    private let gate = PauseGate()

    init(_ processor: VirtualProcessor, board: ProcessorBoard) {
        self.processor = processor
        self.board = board
    }

    func start() throws(Errno) {
        _ = try Thread(name: "vcpu-\(processor.id)") { [self] in
            thread.withLock { $0 = KickSignal.currentThread() }
            run()
            thread.withLock { $0 = 0 }
            gate.remove()
            finished.open()
        }
    }

    /// Ends the thread soon. From any thread, also this one.
    func requestStop() {
        stopping.store(true, ordering: .sequentiallyConsistent)
        gate.remove()
        leaveGuest()
    }

    /// After what is asked for has been written down. In this order: a thread about to enter the guest sees the request, one inside is
    /// kicked out.
    private func leaveGuest() {
        processor.requestExit()
        thread.withLock { if $0 != 0 { KickSignal.send(to: $0) } }
    }

    /// Has the guest stand still soon, between two instructions. From any thread but this one.
    func requestPause() {
        gate.shut()
        leaveGuest()
    }

    /// Waits for that; false when it does not come in time.
    ///
    /// - Parameter deadline: of `Clock.monotonicNanoseconds`.
    func waitForPause(until deadline: UInt64) -> Bool { gate.waitUntilHeld(until: deadline) }

    /// The state of a vCPU that stands still at `waitForPause`. From any thread.
    func saveState(_ system: KVMSystem) throws(KVMError) -> ProcessorState { try processor.saveState(system) }

    var timeStampFrequency: UInt32? { processor.timeStampFrequency() }

    /// Lets the guest go on. From any thread.
    func resume() { gate.open() }

    /// Waits for the end of a thread that was started.
    func waitForEnd() {
        finished.wait()
    }

    private func run() {
        do throws(KVMError) {
            while !stopping.load(ordering: .sequentiallyConsistent) {
                let exit = try processor.runGuest()
                if let outcome = handle(exit) { return board.end(outcome) }
                // Not at another exit: KVM completes the guest's access when it is entered again, and then sees the request to leave.
                if case .interrupted = exit { waitWhilePaused() }
            }
        } catch {
            board.end(.kvmError("\(error)"))
        }
    }

    /// Stands still while the machine is paused; then nothing keeps the thread from entering the guest that is not asked for anew.
    private func waitWhilePaused() {
        repeat {
            if gate.isClosed {
                processor.announcePause()
                gate.pass()
            }
            processor.clearExitRequest()
            // Who asks from now on asks again; who has asked before is seen by this thread.
            atomicMemoryFence(ordering: .sequentiallyConsistent)
        } while gate.isClosed
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
