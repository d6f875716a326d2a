import LinuxSystem

/// A guest that can be saved at a line that it prints, and tells that it goes on by another.
struct RestorableGuest {
    /// For files.
    let name: String
    /// MiB.
    let memory: Int
    let kernel: String
    /// nil for a payload.
    var initramfs: String?
    var words = ""
    /// The beginning of the line at which it is as it is to be saved.
    let ready: String
    /// What is typed for it, of which the first byte may be lost: QEMU takes it before the saved serial port is there. Empty for a
    /// guest that speaks by itself.
    let question: String
    /// The beginning of its next line, or of its answer.
    let answer: String

    /// Seconds for a start, and for an answer.
    static let patience = 300

    /// `svmm boot` of it.
    func svmm(_ path: String, state: String) -> Command {
        var arguments = ["boot", "--kernel", kernel, "--memory", "\(memory)M", "--cpus", "1", "--console", "stdio", "--state", state]
        if let initramfs { arguments += ["--initrd", initramfs] }
        if !words.isEmpty { arguments += ["--cmdline", words] }
        return Command(path: path, arguments: arguments)
    }

    /// The same guest in QEMU.
    func qemu(_ qemu: QEMU, _ arguments: [String]) -> Command {
        var command = initramfs.map { qemu.command(linux: kernel, initramfs: $0, memory: memory, words, []) }
            ?? qemu.command(kernel: kernel, serial: "stdio", memory: memory)
        command.arguments += arguments
        return command
    }

    /// Milliseconds from before the fork to the answer of a guest that is booted.
    func coldBoot(_ command: Command, _ runner: Runner) throws -> Double {
        let session = try Session(command, input: "", runner)
        defer { session.kill() }
        if !question.isEmpty {
            try session.waitForLine(ready, timeout: Self.patience)
            try session.type(question)
        }
        return Double(try session.waitForLine(answer, timeout: Self.patience)) / 1e6
    }

    /// The same of a guest that goes on from where it was saved, and finds the question there.
    func goingOn(_ command: Command, _ runner: Runner) throws -> Double {
        let session = try Session(command, input: question, runner)
        defer { session.kill() }
        return Double(try session.waitForLine(answer, timeout: Self.patience)) / 1e6
    }
}

/// A guest saved once by svmm and once by QEMU, and how long each of them, and svmm's boot of it, takes to its answer.
struct SavedGuest {
    static let coldBoot = "cold-boot"

    let guest: RestorableGuest
    /// Names and measured milliseconds: svmm, `coldBoot`, and QEMU where it can.
    let participants: [Participant<Double>]
    /// Why QEMU does not take part; nil when it does.
    let absence: String?

    /// - Parameter directory: for what is saved, and for sockets.
    init(_ guest: RestorableGuest, in directory: String, _ bench: Workbench) throws {
        self.guest = guest
        let runner = bench.runner
        let boot = guest.svmm(bench.options.svmm, state: "\(directory)/booted")
        let snapshot = "\(directory)/\(guest.name).snapshot"
        try Self.save(guest, by: boot, state: "\(directory)/booted", to: snapshot, bench)
        let restore = Command(path: bench.options.svmm,
                              arguments: ["restore", snapshot, "--console", "stdio", "--state", "\(directory)/restored"])
        var participants = [Participant(name: "svmm") { try guest.goingOn(restore, runner) },
                            Participant(name: Self.coldBoot) { try guest.coldBoot(boot, runner) }]
        var absence: String? = QEMU.absence
        if let qemu = bench.qemu {
            let file = "\(directory)/\(guest.name).migration"
            do {
                try Self.save(guest, by: qemu, to: file, monitor: "\(directory)/monitor", runner)
                let incoming = guest.qemu(qemu, ["-incoming", "exec:cat \(file)"])
                _ = try guest.goingOn(incoming, runner)
                participants.append(Participant(name: QEMU.name) { try guest.goingOn(incoming, runner) })
                absence = nil
            } catch let error as BenchmarkError {
                absence = "cannot save this guest and let it go on: \(error)"
            }
        }
        self.participants = participants
        self.absence = absence
    }

    private static func save(
        _ guest: RestorableGuest, by boot: Command, state: String, to snapshot: String, _ bench: Workbench
    ) throws {
        let session = try Session(boot, input: "", bench.runner)
        defer { session.kill() }
        try session.waitForLine(guest.ready, timeout: RestorableGuest.patience)
        _ = try bench.runner.run(Command(path: bench.options.svmm, arguments: ["snapshot", state, snapshot, "--stop"]),
                                 timeout: RestorableGuest.patience)
        try session.waitForEnd(status: 0, timeout: RestorableGuest.patience)
    }

    private static func save(
        _ guest: RestorableGuest, by qemu: QEMU, to file: String, monitor path: String, _ runner: Runner
    ) throws {
        let command = guest.qemu(qemu, QEMUMonitor.arguments(path))
        let session = try Session(command, input: "", runner)
        defer { session.kill() }
        try session.waitForLine(guest.ready, timeout: RestorableGuest.patience)
        let monitor = try QEMUMonitor(path, of: command, session, runner, timeout: RestorableGuest.patience)
        try monitor.save(to: file)
        try session.waitForEnd(status: 0, timeout: RestorableGuest.patience)
    }
}
