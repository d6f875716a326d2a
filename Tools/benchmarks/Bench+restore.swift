import ArgumentParser
import LinuxSystem

/// How soon a saved machine goes on, beside its boot and beside QEMU's incoming migration.
struct RestoreBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore",
        abstract: "From exec to a restored guest's first instruction and to its answer, beside QEMU's and a cold boot."
    )

    enum Guests: String, CaseIterable, ExpressibleByArgument {
        case all, payload, linux
    }

    @OptionGroup var options: CommonOptions

    @Option(help: ArgumentHelp("The Linux guest's kernel (Kernel/build).", valueName: "path"))
    var kernel: String

    @Option(help: ArgumentHelp("Its initramfs (Tools/guest/build).", valueName: "path"))
    var initramfs: String

    @Option(help: ArgumentHelp("Which guests; Linux needs hardware virtualization."))
    var guests = Guests.all

    /// Names in figures, and MiB.
    private static let sizes = [("128M", 128), ("1G", 1024), ("8G", 8192)]

    private var runs: Int { options.runs ?? 10 }

    func run() throws {
        let bench = try Workbench("restore", options)
        // In memory, as what was just saved is: no disk is measured.
        let directory = try TemporaryDirectory(in: "/dev/shm")
        if guests != .linux {
            try measurePayloads(bench, directory.path)
        } else {
            for figure in ["first_instruction", "payload_reply"] { skip(figure, "not asked for: --guests linux", bench.report) }
        }
        if guests == .payload {
            skip("guest_reply", "not asked for: --guests payload", bench.report)
        } else if Workbench.hardwareVirtualization == nil {
            let reason = "not here: the processor has neither vmx nor svm, which Linux guests need; Tools/rig has"
            guard guests == .all else { throw BenchmarkError("restore/guest_reply: \(reason)") }
            skip("guest_reply", reason, bench.report)
        } else {
            try measureLinux(bench, directory.path)
        }
    }

    /// A guest that speaks all the time: its first byte comes right after its first instruction.
    private func measurePayloads(_ bench: Workbench, _ directory: String) throws {
        let first = try measureSizes(bench, directory) { size, memory in
            RestorableGuest(name: "ticks-\(size)", memory: memory, kernel: options.payload("ticks"), ready: ".", question: "", answer: ".")
        }
        try add("first_instruction", first, bench.report)
        let figure = "first_instruction_8G_vs_128M"
        bench.report.begin(figure, nil)
        // svmm is the first participant of each size.
        if let small = first.first?.samples.first, let large = first.last?.samples.first {
            try bench.report.add(figure, ratio: "8G/128M", large.ratios(to: small))
        }
        // And one that waits for input, and sends it back.
        try add("payload_reply", try measureSizes(bench, directory) { size, memory in
            RestorableGuest(name: "echo-\(size)", memory: memory, kernel: options.payload("echo"), ready: "echo: ready",
                            question: "...", answer: ".")
        }, bench.report)
    }

    private func measureLinux(_ bench: Workbench, _ directory: String) throws {
        let guest = RestorableGuest(
            name: "linux", memory: 128, kernel: kernel, initramfs: initramfs, words: "quiet test.run=echo", ready: "guest: ready",
            question: "\n\n\n", answer: "guest: echo")
        let saved = try SavedGuest(guest, in: directory, bench)
        let samples = try interleave(runs: runs, saved.participants).map { Samples(values: $0) }
        try add("guest_reply", Measured(saved: saved, samples: samples), bench.report)
    }

    /// A saved guest with the samples of its participants.
    private struct Measured {
        let saved: SavedGuest
        let samples: [Samples]
    }

    /// Measures a guest of all sizes, everything in the same turns: neighbours first of all svmm's restores.
    private func measureSizes(
        _ bench: Workbench, _ directory: String, _ guest: (String, Int) -> RestorableGuest
    ) throws -> [Measured] {
        let saved = try Self.sizes.map { try SavedGuest(guest($0.0, $0.1), in: directory, bench) }
        // The participants by their programs, and each program's by size.
        let order = (0..<3).flatMap { program in
            saved.indices.filter { saved[$0].participants.indices.contains(program) }.map { (size: $0, program: program) }
        }
        let samples = try interleave(runs: runs, order.map { saved[$0.size].participants[$0.program] })
        return saved.indices.map { size in
            Measured(saved: saved[size], samples: zip(order, samples).filter { $0.0.size == size }.map { Samples(values: $0.1) })
        }
    }

    private func add(_ figure: String, _ measured: [Measured], _ report: Report) throws {
        for (size, measured) in zip(Self.sizes, measured) { try add("\(figure)_\(size.0)", measured, report) }
    }

    private func add(_ figure: String, _ measured: Measured, _ report: Report) throws {
        report.begin(figure, .milliseconds)
        let programs = zip(measured.saved.participants.map(\.name), measured.samples)
        for (name, samples) in programs { try report.add(figure, program: name, .milliseconds, samples) }
        if let absence = measured.saved.absence { report.addAbsent(program: QEMU.name, reason: absence) }
        for (name, peer) in programs.dropFirst() {
            try report.add(figure, ratio: "svmm/\(name)", measured.samples[0].ratios(to: peer))
        }
    }

    /// What is not measured says so by its name.
    private func skip(_ figure: String, _ reason: String, _ report: Report) {
        report.note("restore/\(figure)", reason)
    }
}
