import ArgumentParser
import Glibc
import LinuxSystem

/// What a disk's requests cost, as the guest sees them: random 4 KiB reads of a file that is in the page cache.
struct BlockBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "block",
        abstract: "Random 4 KiB reads of a cached file: requests a second at depth 32, time of one at depth 1."
    )

    @OptionGroup var options: CommonOptions

    @Option(help: ArgumentHelp("The loop of bare system calls (bare-block.c).", valueName: "path"))
    var bareBlock: String

    @Option(help: ArgumentHelp("Requests in a run at depth 32; a quarter of them at depth 1.", valueName: "n"))
    var count = 400_000

    @Option(help: ArgumentHelp("Further options of svmm's --disk, for example engine=threads.", valueName: "words"))
    var diskOptions: String?

    private static let mebibytes = 64

    func validate() throws {
        guard (1000...100_000_000).contains(count) else {
            throw ValidationError("--count \(count): expected 1000 to 100000000")
        }
    }

    func run() throws {
        let bench = try Workbench("block", options)
        let frequency = try bench.timestampFrequency()
        bench.report.note("time-stamp counter", "\(decimal(frequency / 1e3, places: 3)) MHz")
        let disk = try DataFile(mebibytes: Self.mebibytes)
        try measure(bench, disk.path, depth: 32, count, frequency, figure: "iops_4k_qd32", .perSecond) { 1e9 / $0 }
        try measure(bench, disk.path, depth: 1, count / 4, frequency, figure: "latency_4k_qd1", .nanoseconds) { $0 }
    }

    /// - Parameter convert: makes the figure of nanoseconds for each request.
    private func measure(
        _ bench: Workbench, _ disk: String, depth: Int, _ count: Int, _ frequency: Double, figure: String, _ unit: Unit,
        _ convert: (Double) -> Double
    ) throws {
        let words = "block.mode=bench block.depth=\(depth) block.count=\(count)"
        let option = disk + (diskOptions.map { ",\($0)" } ?? "")
        let svmm = bench.svmm("block", "--console", "stdio", "--disk", option, "--cmdline", words)
        let bare = Command(path: bareBlock, arguments: [disk, "\(depth)", "\(count)"])
        var participants = [
            Participant(name: "svmm") { try value("cycles", svmm, bench.runner) / frequency * 1e6 },
            Participant(name: Workbench.bare) { try value("nanoseconds", bare, bench.runner) },
        ]
        if let qemu = bench.qemu {
            let command = qemu.command(
                kernel: options.payload("block"), serial: "stdio", "-global", "virtio-mmio.force-legacy=false",
                "-object", "iothread,id=thread", "-drive", "file=\(disk),format=raw,if=none,id=disk,aio=io_uring",
                "-device", "virtio-blk-device,drive=disk,iothread=thread",
                "-append", "virtio.base=0xfeb00000 virtio.stride=512 virtio.slots=8 \(words)")
            participants.append(Participant(name: QEMU.name) { try value("cycles", command, bench.runner) / frequency * 1e6 })
        }
        let samples = try interleave(runs: options.runs ?? 20, participants).map {
            Samples(values: $0.map { convert($0 / Double(count)) })
        }
        bench.report.begin(figure, unit)
        for (participant, samples) in zip(participants, samples) {
            try bench.report.add(figure, program: participant.name, unit, samples)
        }
        if bench.qemu == nil { bench.report.addAbsent(program: QEMU.name, reason: QEMU.absence) }
        for (participant, peer) in zip(participants, samples).dropFirst() {
            try bench.report.add(figure, ratio: "svmm/\(participant.name)", samples[0].ratios(to: peer))
        }
    }

    /// The number after `key=` in a line that has one after `requests=`, too.
    private func value(_ key: String, _ command: Command, _ runner: Runner) throws -> Double {
        let output = try runner.run(command, timeout: 600).output
        for line in output.split(whereSeparator: \.isNewline) where line.contains("requests=") {
            for word in line.split(separator: " ") where word.hasPrefix(key + "=") {
                if let value = Double(word.dropFirst(key.count + 1)), value > 0 { return value }
            }
        }
        throw BenchmarkError("\(command.line): no \(key)= in its output:\n\(output)")
    }
}

/// A file of random bytes with a name of its own, in $TMPDIR or /tmp, removed with this object.
private final class DataFile {
    let path: String

    init(mebibytes: Int) throws {
        let folder = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        path = "\(folder)/svmm-bench-\(getpid()).img"
        let file = try FileDescriptor.open(path, [.writeOnly, .create, .exclusive])
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        try bytes.withUnsafeMutableBytes { buffer in
            try fillWithRandomBytes(buffer)
            for _ in 0..<mebibytes { try file.writeAll(UnsafeRawBufferPointer(buffer)) }
        }
        // Written back now, and not while something is measured.
        try file.synchronizeData()
    }

    deinit {
        unlink(path)
    }
}
