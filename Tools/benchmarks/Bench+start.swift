import ArgumentParser

/// What a virtual machine costs before its guest has done anything: time and memory.
struct StartBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "start",
        abstract: "From exec to the guest's first exit, and memory beside the guest's own."
    )

    @OptionGroup var options: CommonOptions

    private var runs: Int { options.runs ?? 20 }

    func run() throws {
        let bench = try Workbench("start", options)
        try measureFirstExit(bench)
        try measureMemory(bench)
    }

    private func measureFirstExit(_ bench: Workbench) throws {
        let svmm = bench.svmm("first-exit", "--console", "none")
        var participants = [Participant(name: "svmm") { try bench.runner.run(svmm).milliseconds }]
        if let qemu = bench.qemu {
            let command = qemu.command(kernel: options.payload("first-exit"), serial: "none")
            participants.append(Participant(name: QEMU.name) {
                let finished = try bench.runner.run(command)
                // Its status 1 means either that the guest has left, or that QEMU has failed with words.
                guard finished.errors.isEmpty else { throw BenchmarkError("\(command.line): \(finished.errors)") }
                return finished.milliseconds
            })
        }
        bench.report.begin("first_exit", .milliseconds)
        try add("first_exit", .milliseconds, participants.map(\.name),
                try interleave(runs: runs, participants), to: bench.report)
    }

    private func measureMemory(_ bench: Workbench) throws {
        let mode = "power.mode=spin"
        var commands = [("svmm", bench.svmm("power", "--console", "stdio", "--cmdline", mode))]
        if let qemu = bench.qemu {
            commands.append((QEMU.name, qemu.command(kernel: options.payload("power"), serial: "stdio", "-append", mode)))
        }
        let participants = commands.map { name, command in
            Participant(name: name) {
                try bench.runner.run(command, untilLine: "power: spinning") { process in
                    try MemoryOverhead(of: process, guestMemory: 128 << 10)
                }
            }
        }
        let samples = try interleave(runs: runs, participants)
        let names = participants.map(\.name)
        bench.report.begin("rss_overhead", .mebibytes)
        try add("rss_overhead", .mebibytes, names, samples.map { $0.map(\.resident) }, to: bench.report)
        bench.report.begin("pss_overhead", .mebibytes)
        try add("pss_overhead", .mebibytes, names, samples.map { $0.map(\.proportional) }, to: bench.report)
    }

    private func add(_ figure: String, _ unit: Unit, _ names: [String], _ values: [[Double]], to report: Report) throws {
        let samples = values.map { Samples(values: $0) }
        for (name, samples) in zip(names, samples) { try report.add(figure, program: name, unit, samples) }
        if samples.count == 2 {
            try report.add(figure, ratio: "svmm/\(QEMU.name)", samples[0].ratios(to: samples[1]))
        } else {
            report.addAbsent(program: QEMU.name, reason: QEMU.absence)
        }
    }
}
