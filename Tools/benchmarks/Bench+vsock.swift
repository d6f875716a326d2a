import ArgumentParser
import Glibc
import LinuxSystem

/// Stream sockets between guest and host: svmm's own device, beside the kernel's (vhost-vsock) as QEMU and svmm use it.
struct VsockBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "vsock",
        abstract: "Streams and round trips between a Linux guest and the host, beside vhost-vsock."
    )

    @OptionGroup var options: CommonOptions
    @OptionGroup var guest: LinuxGuest

    @Option(help: ArgumentHelp("What flows each way in a round.", valueName: "MiB"))
    var size = 64

    @Option(help: ArgumentHelp("Round trips in a round.", valueName: "n"))
    var trips = 1000

    /// The kernel's device under QEMU; the same under svmm.
    private static let reference = "vhost-vsock"
    private static let own = "svmm-vhost"

    func validate() throws {
        for (name, value) in [("size", size), ("trips", trips)] where !(1...100_000).contains(value) {
            throw ValidationError("--\(name) \(value): expected 1 to 100000")
        }
    }

    func run() throws {
        let bench = try Workbench("vsock", options)
        let directory = try TemporaryDirectory(in: "/dev/shm")
        let socket = "\(directory.path)/vsock.sock"
        let words = guest.words("benchvsock", ["test.mib=\(size)", "test.trips=\(trips)", "test.port=\(HostPeer.port)"])
        let user = guest.svmm(options.svmm, words, ["--vsock", "user,path=\(socket)"])
        try HostPeer.serveUnixSocket("\(socket)_\(HostPeer.port)")
        var commands = [("svmm", user)]
        var absence: String?
        do {
            // Opening it loads its module.
            _ = try FileDescriptor.open("/dev/vhost-vsock", .readWrite)
            if let qemu = bench.qemu {
                commands.append((Self.reference, qemu.command(linux: guest, words, [
                    "-device", "vhost-vsock-device,guest-cid=42",
                ])))
            } else {
                absence = QEMU.absence
            }
            commands.append((Self.own, guest.svmm(options.svmm, words, ["--vsock", "vhost,cid=43"])))
            try HostPeer.serveKernelSockets()
        } catch let error as Errno {
            absence = "/dev/vhost-vsock: \(error)"
        }
        let names = commands.map(\.0)
        let samples = try interleave(runs: options.runs ?? 5, commands.map { name, command in
            Participant(name: name) { try guest.figures(command, "benchvsock", bench.runner) }
        })
        func add(_ figure: String, _ unit: Unit, _ value: (GuestFigures) throws -> Double) throws {
            let values = try samples.map { Samples(values: try $0.map(value)) }
            bench.report.begin(figure, unit)
            for (name, samples) in zip(names, values) { try bench.report.add(figure, program: name, unit, samples) }
            if let absence { bench.report.addAbsent(program: Self.reference, reason: absence) }
            for (name, peer) in zip(names, values).dropFirst() {
                try bench.report.add(figure, ratio: "svmm/\(name)", values[0].ratios(to: peer))
            }
        }
        let ways = ["to_host", "from_host"]
        try add("throughput", .mebibytesPerSecond) { try $0.rate(ofPhases: ways) / 1_048_576 }
        for way in ways { try add(way, .mebibytesPerSecond) { try $0.rate(way) / 1_048_576 } }
        try add("round_trip", .microseconds) { 1e6 / (try $0.rate("round_trip")) }
    }
}
