import KVM
import LinuxSystem
import MachineProtocol
import Snapshot

extension Supervisor {
    /// `svmm snapshot`: the guest stands still while its state and memory are written, and goes on, or ends, when they are. What fails
    /// leaves nothing behind, and the guest goes on.
    ///
    /// - Parameter reply: called once, on the control loop's thread, now or later.
    func snapshot(_ order: SnapshotOrder, reply: @escaping (ControlReply) -> Void) {
        if let refusal = refusalOfSnapshots { return reply(refusal) }
        save(order, isWritten: {}, reply: reply)
    }

    /// - Parameter written: called before `reply`, when the guest may go on; not where saving has failed.
    func save(_ order: SnapshotOrder, isWritten written: @escaping () -> Void, reply: @escaping (ControlReply) -> Void) {
        guard let machine, machine.outcome == nil else { return reply(.failed("it is being restarted; try again")) }
        let wasPaused = isPaused
        if !wasPaused {
            guard machine.pause() else {
                return reply(.failed("a processor is busy with a device for too long; it runs on, try again"))
            }
            isPaused = true
        }
        // One that has come to its end meanwhile does not stand between two instructions.
        guard !machine.isEnding else { return reply(.failed("it has just ended")) }
        saving = Saving(resumes: !wasPaused)
        let job = SavingJob(machine, order, balloonTarget: balloonTarget)
        let loop = loop
        // Sound, both: called on the control loop's thread alone, to which the other one hands them back.
        nonisolated(unsafe) let isWritten = { [unowned self] in
            if !order.stops { letGoOn() }
            written()
        }
        nonisolated(unsafe) let finish = { [unowned self] (reason: String?) in finishSaving(order, reason, reply) }
        do throws(Errno) {
            // Disks may take long over what is in flight, and signals are still heard.
            _ = try Thread(name: "snapshot", stack: Thread.largeStack) {
                let reason = job.run { loop.perform { isWritten() } }
                loop.perform { finish(reason) }
            }
        } catch {
            finishSaving(order, "a thread could not be started: \(error)", reply)
        }
    }

    private func finishSaving(_ order: SnapshotOrder, _ reason: String?, _ reply: (ControlReply) -> Void) {
        if reason == nil, order.stops {
            saving = nil
            reply(.done)
            return finish(ExitStatus.poweredOff, "saved in \(order.directory)")
        }
        letGoOn()
        saving = nil
        reply(reason.map { .failed($0) } ?? .done)
        // See `finishTemplate`.
        if result != nil { loop.stop() }
    }

    /// What is to be saved has been written, though it may not be durable yet.
    private func letGoOn() {
        guard let saving, !saving.isWritten else { return }
        self.saving?.isWritten = true
        if saving.resumes { goOn() }
        for body in saving.later { body() }
    }

    /// At once, or when what is being saved may run again: for what a guest that stands still for that cannot hear, and is not to find in
    /// its snapshot.
    func whenNotSaving(_ body: @escaping () -> Void) {
        if let saving, !saving.isWritten { self.saving?.later.append(body) } else { body() }
    }

    /// Waits until a snapshot that has been written is durable: the end of the machine is not its end. A signal asks for less patience.
    func finishSnapshot() {
        while let saving, saving.isWritten, !isImpatient { loop.run() }
    }

    private var refusalOfSnapshots: ControlReply? {
        if saving != nil { return .failed("it is being saved already; try again") }
        return companion == nil ? nil : .failed("it is a container's machine, expected one that svmm boot or svmm restore has started")
    }
}

/// What is asked of a snapshot.
struct SnapshotOrder: Sendable {
    /// To be made.
    let directory: String
    /// The snapshot that the machine has come from, to save only what is different; nil: all.
    let base: String?
    /// Whether the machine ends when it is saved.
    let stops: Bool
    /// What the machine is by now.
    let description: MachineDescription
}

/// A snapshot being made. On the control loop's thread.
struct Saving {
    /// Whether the guest goes on afterwards.
    var resumes: Bool
    /// Whether the guest may run again.
    var isWritten = false
    /// What waits for that.
    var later: [() -> Void] = []
}

/// Writes a machine that stands still. On a thread of its own.
private struct SavingJob: Sendable {
    private let machine: Machine
    private let order: SnapshotOrder
    private let balloonTarget: UInt64

    init(_ machine: Machine, _ order: SnapshotOrder, balloonTarget: UInt64) {
        self.machine = machine
        self.order = order
        self.balloonTarget = balloonTarget
    }

    /// Why it has failed, a line for the user; nil when the snapshot is there.
    ///
    /// - Parameter isWritten: called when the machine may go on.
    func run(_ isWritten: () -> Void) -> String? {
        do {
            let (writer, sections) = try write()
            isWritten()
            do {
                try writer.finish(sections)
            } catch {
                if order.stops { machine.resumeDevices() }
                throw error
            }
            return nil
        } catch {
            return "\(error)"
        }
    }

    private func write() throws -> (SnapshotWriter, [SnapshotSection]) {
        machine.suspendDevices()
        var mayGoOn = true
        defer { if mayGoOn { machine.resumeDevices() } }
        let writer = try SnapshotWriter(directory: order.directory, differenceFrom: try origin())
        try writer.writeMemory(machine.memory)
        let state = try machine.state(balloonTarget: balloonTarget)
        // Its devices may have been reset under the guest's feet.
        guard !machine.isEnding else { throw MachineError("the machine has ended") }
        // What waits in its queues is for the one that is restored to do.
        mayGoOn = !order.stops
        return (writer, state.sections(description: order.description.encoded()))
    }

    private func origin() throws -> SnapshotOrigin? {
        guard let base = order.base else { return nil }
        guard let origin = machine.origin else {
            throw MachineError("--base \(base): the machine was not restored from a snapshot, expected the one that it was restored from; without --base all of it is saved")
        }
        let named = try SnapshotReader(directory: base)
        guard named.identifier == origin.base.identifier else {
            throw MachineError("--base \(base): another snapshot than the one that the machine was restored from, expected \(origin.base.path)")
        }
        return origin
    }
}
