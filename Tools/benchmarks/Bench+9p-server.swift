import ArgumentParser
import Glibc
import LinuxSystem
import NineP

/// The 9P server alone, in this process, without a virtual machine: what it can do natively where guests are emulated.
struct NinePServerBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "9p-server",
        abstract: "The 9P server in memory, without a guest, beside the bare system calls."
    )

    @OptionGroup var options: CommonOptions

    @Option(help: ArgumentHelp("Times that a run does each thing.", valueName: "n"))
    var count = 5_000

    func validate() throws {
        guard (10...10_000_000).contains(count) else { throw ValidationError("--count \(count): expected 10 to 10000000") }
    }

    func run() throws {
        let report = try Report(bench: "9p-server", json: options.json)
        let directory = try TemporaryDirectory(in: "/dev/shm")
        let client = try ServerClient(directory.path)
        let direct = try DirectCalls(directory.path)
        try compare("create_unlink", .operationsPerSecond, report, client.createAndUnlink, direct.createAndUnlink)
        try client.make("data", size: 1 << 20)
        try direct.open("data")
        try compare("stat", .operationsPerSecond, report, client.stat, direct.stat)
        try compare("getattr", .operationsPerSecond, report, client.getattr, direct.getattr)
        try client.open("data")
        try compare("read_4k", .operationsPerSecond, report, { try client.read(4096) }, { try direct.read(4096) })
        try compare("read_496k", .operationsPerSecond, report, { try client.read(496 << 10) }, { try direct.read(496 << 10) })
        try client.removeData()
    }

    /// Each operation `count` times in a run, the server and the calls in turns.
    private func compare(
        _ figure: String, _ unit: Unit, _ report: Report, _ server: @escaping () throws -> Void,
        _ direct: @escaping () throws -> Void
    ) throws {
        func participant(_ name: String, _ body: @escaping () throws -> Void) -> Participant<Double> {
            Participant(name: name) {
                let start = Clock.now
                for _ in 0..<count { try body() }
                return Double(count) / Double(Clock.now - start) * 1e9
            }
        }
        let names = ["svmm", "system-calls"]
        let samples = try interleave(runs: options.runs ?? 20, [participant(names[0], server), participant(names[1], direct)])
            .map { Samples(values: $0) }
        report.begin(figure, unit)
        for (name, samples) in zip(names, samples) { try report.add(figure, program: name, unit, samples) }
        try report.add(figure, ratio: "svmm/system-calls", samples[0].ratios(to: samples[1]))
    }
}

/// What the server could do at best: the calls that the same work is in a program on the host.
private final class DirectCalls {
    private let directory: Int32
    private var file: Int32 = -1
    private var status = Glibc.stat()
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)

    init(_ path: String) throws {
        directory = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        try check(directory)
    }

    deinit {
        close(directory)
        close(file)
        buffer.deallocate()
    }

    private func check(_ result: Int32) throws {
        guard result >= 0 else { throw BenchmarkError("a system call failed: \(Errno.current)") }
    }

    func createAndUnlink() throws {
        let made = openat(directory, "file", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        try check(made)
        close(made)
        try check(unlinkat(directory, "file", 0))
    }

    func open(_ name: String) throws {
        file = openat(directory, name, O_RDONLY | O_CLOEXEC)
        try check(file)
    }

    func stat() throws { try check(fstatat(directory, "data", &status, 0)) }
    func getattr() throws { try check(fstat(file, &status)) }
    func read(_ count: Int) throws {
        guard pread(file, buffer.baseAddress, count, 0) == count else { throw BenchmarkError("a read was short") }
    }
}
