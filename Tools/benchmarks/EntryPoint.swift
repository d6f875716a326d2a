import ArgumentParser

/// The benchmark driver, started by Tools/bench. A subcommand is one file `Bench+NAME.swift` and a line here; README.md
/// says what each figure is.
@main
struct Benchmarks: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measure svmm beside its peers.",
        subcommands: [
            StartBenchmark.self, ExitBenchmark.self, BlockBenchmark.self, NinePBenchmark.self, NinePServerBenchmark.self,
            VsockBenchmark.self, NetworkBenchmark.self, ContainerBenchmark.self, RestoreBenchmark.self,
        ]
    )
}

/// What every subcommand takes.
struct CommonOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Measured runs of each program, after one that does not count.", valueName: "n"))
    var runs: Int?

    @Option(help: ArgumentHelp("Write the figures there, too: one JSON object a line.", valueName: "path"))
    var json: String?

    @Option(help: ArgumentHelp("The svmm to measure, with its svmm-vmm beside it.", valueName: "path"))
    var svmm: String

    @Option(help: ArgumentHelp("Folder of the payload guests (Tools/payloads/build).", valueName: "path"))
    var payloads: String

    @Option(help: ArgumentHelp("The bare KVM_RUN loop (bare-kvm.c).", valueName: "path"))
    var bareKVM: String

    func validate() throws {
        if let runs, !(1...10_000).contains(runs) { throw ValidationError("--runs \(runs): expected 1 to 10000") }
    }

    func payload(_ name: String) -> String { "\(payloads)/\(name).elf" }
}

/// Why nothing could be measured.
struct BenchmarkError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}
