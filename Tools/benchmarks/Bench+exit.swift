import ArgumentParser

/// What one exit from the guest to the monitor and back costs, beside the least that KVM allows.
struct ExitBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "exit",
        abstract: "One exit and back: port, MMIO register, queue notification, beside a bare loop in C."
    )

    @OptionGroup var options: CommonOptions

    @Option(help: ArgumentHelp("Exits of each kind in a run.", valueName: "n"))
    var count = 20_000

    private static let kinds = ["pio", "mmio", "ioeventfd"]

    func validate() throws {
        guard (100...100_000_000).contains(count) else {
            throw ValidationError("--count \(count): expected 100 to 100000000")
        }
    }

    func run() throws {
        let bench = try Workbench("exit", options)
        let frequency = try timestampFrequency(bench.runner)
        bench.report.note("time-stamp counter", "\(decimal(frequency / 1e3, places: 3)) MHz")
        let words = "exits.empty=0 exits.count=\(count)"
        let commands = [
            ("svmm", bench.svmm("exits", "--console", "stdio", "--cmdline", words)),
            (Workbench.bare, bench.bare("exits", words)),
        ]
        let participants = commands.map { name, command in
            Participant(name: name) { try cycles(of: command, bench.runner) }
        }
        let samples = try interleave(runs: options.runs ?? 10, participants)
        for (index, kind) in Self.kinds.enumerated() {
            bench.report.begin(kind, .nanoseconds)
            let values = samples.map { runs in Samples(values: runs.map { $0[index] / frequency * 1e6 }) }
            for (participant, samples) in zip(participants, values) {
                try bench.report.add(kind, program: participant.name, .nanoseconds, samples)
            }
            try bench.report.add(kind, ratio: "svmm/\(Workbench.bare)", values[0].ratios(to: values[1]))
        }
    }

    /// Cycles of the time-stamp counter for one exit of each kind, as the guest has counted them.
    private func cycles(of command: Command, _ runner: Runner) throws -> [Double] {
        let output = try runner.run(command, timeout: 600).output
        let lines = output.split { $0.isNewline }.map { $0.split(separator: " ") }
        func value(_ key: String, _ line: [Substring]) -> Double? {
            line.first { $0.hasPrefix(key) }.flatMap { Double($0.dropFirst(key.count)) }
        }
        return try Self.kinds.map { kind in
            // exits: KIND count=N cycles=N each=N
            guard let line = lines.first(where: { $0.count > 3 && $0[0] == "exits:" && $0[1] == kind }),
                  let count = value("count=", line), let cycles = value("cycles=", line) else {
                throw BenchmarkError("\(command.line): no figure for \(kind) in its output:\n\(output)")
            }
            return cycles / count
        }
    }

    /// Ticks of the time-stamp counter in a millisecond.
    private func timestampFrequency(_ runner: Runner) throws -> Double {
        let output = try runner.run(Command(path: options.bareKVM, arguments: ["--tsc-khz"])).output
        guard let frequency = Double(output.prefix { !$0.isNewline }), frequency > 0 else {
            throw BenchmarkError("\(options.bareKVM) --tsc-khz: not a number: \(output)")
        }
        return frequency
    }
}
