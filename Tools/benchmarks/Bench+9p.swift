import ArgumentParser
import Glibc
import LinuxSystem

/// A shared directory, beside QEMU's.
struct NinePBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "9p",
        abstract: "A Linux guest's work in a 9p share: files made, looked at and removed, and transfers."
    )

    @OptionGroup var options: CommonOptions
    @OptionGroup var guest: LinuxGuest

    @Option(help: ArgumentHelp("Files that a round makes, looks at and removes.", valueName: "n"))
    var files = 500

    @Option(help: ArgumentHelp("Size of the file that a round writes and reads.", valueName: "MiB"))
    var size = 64

    @Option(help: ArgumentHelp("Reads at random places of it.", valueName: "n"))
    var reads = 1000

    func validate() throws {
        for (name, value) in [("files", files), ("size", size), ("reads", reads)] where !(1...100_000).contains(value) {
            throw ValidationError("--\(name) \(value): expected 1 to 100000")
        }
    }

    func run() throws {
        let bench = try Workbench("9p", options)
        let directory = try TemporaryDirectory(in: "/dev/shm")
        let words = guest.words("bench9p", ["test.files=\(files)", "test.mib=\(size)", "test.reads=\(reads)"])
        let svmm = guest.svmm(options.svmm, words, ["--share", "\(directory.path):bench"])
        let qemu = bench.qemu?.command(linux: guest, words, [
            "-fsdev", "local,id=bench,path=\(directory.path),security_model=passthrough",
            "-device", "virtio-9p-device,fsdev=bench,mount_tag=bench",
        ])
        var mounts: [String] = []
        func measure(_ command: Command) throws -> GuestFigures {
            let figures = try guest.figures(command, "bench9p", bench.runner)
            if !mounts.contains(figures.mount) { mounts.append(figures.mount) }
            return figures
        }
        var participants = [Participant(name: "svmm") { try measure(svmm) }]
        if let qemu { participants.append(Participant(name: QEMU.name) { try measure(qemu) }) }
        let samples = try interleave(runs: options.runs ?? 5, participants)
        for mount in mounts { bench.report.note("mount", mount) }

        let metadata = ["create", "stat", "unlink"]
        try add("metadata_ops", .operationsPerSecond, samples, bench.report) { try $0.rate(ofPhases: metadata) }
        for phase in metadata {
            try add(phase, .operationsPerSecond, samples, bench.report) { try $0.rate(phase) }
        }
        for (figure, name) in [("sequential_read", "read"), ("sequential_write", "write")] {
            try add(figure, .mebibytesPerSecond, samples, bench.report) { try $0.rate(name) / 1_048_576 }
        }
        try add("random_read", .operationsPerSecond, samples, bench.report) { try $0.rate("random") }
    }

    private func add(
        _ figure: String, _ unit: Unit, _ samples: [[GuestFigures]], _ report: Report,
        _ value: (GuestFigures) throws -> Double
    ) throws {
        let names = ["svmm", QEMU.name]
        let values = try samples.map { Samples(values: try $0.map(value)) }
        report.begin(figure, unit)
        for (name, samples) in zip(names, values) { try report.add(figure, program: name, unit, samples) }
        guard values.count > 1 else { return report.addAbsent(program: QEMU.name, reason: QEMU.absence) }
        try report.add(figure, ratio: "svmm/\(QEMU.name)", values[0].ratios(to: values[1]))
    }
}

/// A directory of its own, removed with everything in it when the value ends.
struct TemporaryDirectory: ~Copyable {
    let path: String

    init(in parent: String) throws {
        var template = Array("\(parent)/svmm-bench.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw BenchmarkError("\(parent): no directory can be made there") }
        path = template.withUnsafeBufferPointer { String(cString: $0.baseAddress.unsafelyUnwrapped) }
    }

    deinit {
        try? removeTree(path)
    }
}
