import Devices
import LinuxSystem
import MachineProtocol

/// What the first machine of a companion has to do with templates.
struct TemplateState {
    /// Of the machine, in their order.
    var disks: [PreparedDisk] = []
    var description: SnapshotDescription?
    /// Whether the guest has shown that it goes on, or boots.
    var isGuestReady = false
    /// Whether the machine from a template is to be followed by one that boots.
    var hasFailed = false
}

extension Supervisor {
    /// How long a guest from a template may take to its first word: it has next to nothing to do before, but a host may be busy. Thirty
    /// seconds.
    private static let templateTime: UInt64 = 30_000_000_000

    /// The guest has come so far that all machines like it are alike: where a template of it is wanted, it is saved; it gets its disks.
    ///
    /// - Parameter done: called when it has them, at once where there is nothing to do.
    public func guestIsReady(_ done: @escaping () -> Void) {
        template.isGuestReady = true
        templateTimer.disarm()
        guard let machine, machine.awaitsDisks, let directory = description.template else { return done() }
        let fill = { [unowned self] in
            fillDisks(of: machine)
            done()
        }
        guard !directoryExists(directory), let current = try? template.description?.current() else { return fill() }
        var isFilled = false
        save(SnapshotOrder(directory: directory, base: nil, stops: false, description: current)) {
            isFilled = true
            fill()
        } reply: { reply in
            if case .failed(let reason) = reply { printErrorLine("svmm: no template is made: \(reason)") }
            if !isFilled { fill() }
        }
    }

    /// After `run`, when nobody waits for this process any more: a template that is being written gets its time.
    public func finishTemplate() {
        while saving != nil { loop.run() }
    }

    private func directoryExists(_ path: String) -> Bool { (try? fileStatus(at: path)) != nil }

    private func fillDisks(of machine: Machine) {
        for (disk, device) in zip(template.disks, machine.disks) {
            do throws(BlockDeviceError) {
                try disk.fill(device)
            } catch {
                printErrorLine("svmm: disk \(disk.options.serial): \(error)")
            }
        }
    }

    // MARK: Machines from templates

    /// A machine runs.
    func watchTemplate(_ machine: Machine) {
        template.isGuestReady = false
        if machine.isFromTemplate { templateTimer.arm(nanoseconds: Self.templateTime) }
    }

    /// Whether the end of this machine is only that of its template: then another one boots, and nobody is told.
    func takeEndOfTemplate(_ machine: Machine, _ reason: String) -> Bool {
        guard machine.isFromTemplate, !template.isGuestReady, !template.hasFailed, let restore = description.restore else { return false }
        PreparedOrigin.dropTemplate(restore.directory, because: reason)
        template.hasFailed = true
        templateTimer.disarm()
        endMachine()
        return true
    }

    /// The time of a guest from a template is over.
    func templateTimeIsOver() {
        templateTimer.take()
        guard let machine, isMachineWanted else { return }
        _ = takeEndOfTemplate(machine, "a machine from it did not go on within \(Self.templateTime / 1_000_000_000) s")
    }
}
