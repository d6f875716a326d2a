import ArgumentParser

/// What one exit from the guest to the monitor and back costs, beside the least that KVM allows.
struct ExitBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "exit",
        abstract: "One exit and back: port, MMIO register, queue notification, beside a bare loop in C."
    )

    @OptionGroup var options: CommonOptions

    @Option(help: ArgumentHelp("Exits in a run.", valueName: "n"))
    var count = 5_000

    private static let kinds = ["pio", "mmio", "ioeventfd"]

    func validate() throws {
        guard (100...100_000_000).contains(count) else {
            throw ValidationError("--count \(count): expected 100 to 100000000")
        }
    }

    func run() throws {
        let bench = try Workbench("exit", options)
        let frequency = try bench.timestampFrequency()
        bench.report.note("time-stamp counter", "\(decimal(frequency / 1e3, places: 3)) MHz")
        for kind in Self.kinds {
            // One kind in a run, so that the two runs of a pair are close together in time.
            let words = "exits.count=0 exits.\(kind)=\(count)"
            let svmm = bench.svmm("exits", "--console", "stdio", "--cmdline", words)
            let bare = bench.bare("exits", words)
            let samples = try interleave(runs: options.runs ?? 20, [
                Participant(name: "svmm") { try cycles(of: kind, svmm, bench.runner) },
                Participant(name: Workbench.bare) { try cycles(of: kind, bare, bench.runner) },
            ]).map { Samples(values: $0.map { $0 / frequency * 1e6 }) }
            bench.report.begin(kind, .nanoseconds)
            try bench.report.add(kind, program: "svmm", .nanoseconds, samples[0])
            try bench.report.add(kind, program: Workbench.bare, .nanoseconds, samples[1])
            try bench.report.add(kind, ratio: "svmm/\(Workbench.bare)", samples[0].ratios(to: samples[1]))
        }
    }

    /// Cycles of the time-stamp counter for one exit of a kind, as the guest has counted them.
    private func cycles(of kind: String, _ command: Command, _ runner: Runner) throws -> Double {
        let output = try runner.run(command, timeout: 600).output
        func value(_ key: String, _ line: [Substring]) -> Double? {
            line.first { $0.hasPrefix(key) }.flatMap { Double($0.dropFirst(key.count)) }
        }
        // exits: KIND count=N cycles=N each=N
        let lines = output.split { $0.isNewline }.map { $0.split(separator: " ") }
        guard let line = lines.first(where: { $0.count > 3 && $0[0] == "exits:" && $0[1] == kind }),
              let count = value("count=", line), let cycles = value("cycles=", line) else {
            throw BenchmarkError("\(command.line): no figure for \(kind) in its output:\n\(output)")
        }
        return cycles / count
    }
}
