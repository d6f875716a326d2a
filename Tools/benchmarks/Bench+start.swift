import ArgumentParser

/// What a virtual machine costs before its guest has done anything: time and memory.
struct StartBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "start",
        abstract: "From exec to the guest's first exit and to the end, and memory beside the guest's own."
    )

    @OptionGroup var options: CommonOptions

    private var runs: Int { options.runs ?? 20 }

    func run() throws {
        let bench = try Workbench("start", options)
        try measureFirstExit(bench)
        try measureWholeProcess(bench)
        try measureMemory(bench)
    }

    /// The guest's first exits send a byte to its console: the time to that byte at the other end of a pipe.
    private func measureFirstExit(_ bench: Workbench) throws {
        let samples = try compareSpinning(bench, untilLine: "") { _, nanoseconds in Double(nanoseconds) / 1e6 }
        try add("first_exit", .milliseconds, samples, to: bench.report) { $0 }
    }

    /// The guest's first instructions end the machine; the kernel takes the VM apart before the process is gone.
    private func measureWholeProcess(_ bench: Workbench) throws {
        let payload = "first-exit"
        let samples = try compare(
            bench, svmm: bench.svmm(payload, "--console", "none"), bare: bench.bare(payload),
            qemu: bench.qemu?.command(kernel: options.payload(payload), serial: "none")
        ) { command in
            let finished = try bench.runner.run(command)
            // QEMU's status 1 means either that the guest has left, or that QEMU has failed with words.
            guard command.expectedStatus == 0 || finished.errors.isEmpty else {
                throw BenchmarkError("\(command.line): \(finished.errors)")
            }
            return finished.milliseconds
        }
        try add("whole_process", .milliseconds, samples, to: bench.report) { $0 }
    }

    private func measureMemory(_ bench: Workbench) throws {
        let samples = try compareSpinning(bench, untilLine: "power: spinning") { process, _ in
            try MemoryOverhead(of: process, guestMemory: 128 << 10)
        }
        try add("rss_overhead", .mebibytes, samples, to: bench.report) { $0.resident }
        try add("pss_overhead", .mebibytes, samples, to: bench.report) { $0.proportional }
    }

    /// Compares the monitors while they run a guest that has said so and now does nothing, for ever.
    private func compareSpinning<Sample>(
        _ bench: Workbench, untilLine line: String, _ look: @escaping (Int32, UInt64) throws -> Sample
    ) throws -> [[Sample]] {
        let payload = "power"
        let mode = "power.mode=spin"
        return try compare(
            bench, svmm: bench.svmm(payload, "--console", "stdio", "--cmdline", mode), bare: bench.bare(payload, mode),
            qemu: bench.qemu?.command(kernel: options.payload(payload), serial: "stdio", "-append", mode)
        ) { try bench.runner.run($0, untilLine: line, look) }
    }

    private func compare<Sample>(
        _ bench: Workbench, svmm: Command, bare: Command, qemu: Command?,
        _ measure: @escaping (Command) throws -> Sample
    ) throws -> [[Sample]] {
        var participants = [Participant(name: "svmm") { try measure(svmm) },
                            Participant(name: Workbench.bare) { try measure(bare) }]
        if let qemu { participants.append(Participant(name: QEMU.name) { try measure(qemu) }) }
        return try interleave(runs: runs, participants)
    }

    /// - Parameter samples: of svmm, the bare loop and, if it is installed, QEMU.
    private func add<Sample>(
        _ figure: String, _ unit: Unit, _ samples: [[Sample]], to report: Report, _ value: (Sample) -> Double
    ) throws {
        let names = ["svmm", Workbench.bare, QEMU.name]
        let values = samples.map { Samples(values: $0.map(value)) }
        report.begin(figure, unit)
        for (name, samples) in zip(names, values) { try report.add(figure, program: name, unit, samples) }
        if values.count < names.count { report.addAbsent(program: QEMU.name, reason: QEMU.absence) }
        for (name, peer) in zip(names, values).dropFirst() {
            try report.add(figure, ratio: "svmm/\(name)", values[0].ratios(to: peer))
        }
    }
}
