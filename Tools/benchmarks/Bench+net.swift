import ArgumentParser
import CLinux
import Glibc
import LinuxSystem

/// What a network device's frames cost: small ones through two devices, whose TAP interfaces a bridge joins.
struct NetworkBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "net",
        abstract: "Frames in a second from one TAP to another, through the guest, beside QEMU and bare reads and writes."
    )

    @OptionGroup var options: CommonOptions

    @Option(help: ArgumentHelp("The loop of bare system calls (bare-net.c).", valueName: "path"))
    var bareNet: String

    @Option(help: ArgumentHelp("Frames in a run.", valueName: "n"))
    var count = 200_000

    @Option(help: ArgumentHelp("Frames on their way at the most.", valueName: "n"))
    var window = 128

    @Option(help: ArgumentHelp("Bytes of a frame.", valueName: "n"))
    var bytes = 60

    func validate() throws {
        guard (1000...100_000_000).contains(count) else { throw ValidationError("--count \(count): expected 1000 to 100000000") }
        guard (1...200).contains(window) else { throw ValidationError("--window \(window): expected 1 to 200") }
        guard (60...1514).contains(bytes) else { throw ValidationError("--bytes \(bytes): expected 60 to 1514") }
    }

    func run() throws {
        let bench = try Workbench("net", options)
        let frequency = try bench.timestampFrequency()
        try joinTaps(bench.runner)
        let words = "net.mode=bench net.count=\(count) net.window=\(window) net.bytes=\(bytes)"
        let svmm = bench.svmm("net", "--console", "stdio", "--net", "tap=svmm-a,vhost=off", "--net", "tap=svmm-b,vhost=off",
                              "--cmdline", words)
        let bare = Command(path: bareNet, arguments: ["svmm-a", "svmm-b", "\(count)", "\(window)", "\(bytes)"])
        var participants = [
            Participant(name: "svmm") { try rate("cycles", perSecond: frequency * 1e3, svmm, bench.runner) },
            Participant(name: Workbench.bare) { try rate("nanoseconds", perSecond: 1e9, bare, bench.runner) },
        ]
        if let qemu = bench.qemu {
            func tap(_ name: String) -> String { "tap,id=\(name),ifname=\(name),script=no,downscript=no,vhost=off" }
            let command = qemu.command(
                kernel: options.payload("net"), serial: "stdio", "-global", "virtio-mmio.force-legacy=false",
                "-netdev", tap("svmm-a"), "-device", "virtio-net-device,netdev=svmm-a",
                "-netdev", tap("svmm-b"), "-device", "virtio-net-device,netdev=svmm-b",
                "-append", "virtio.base=0xfeb00000 virtio.stride=512 virtio.slots=24 \(words)")
            participants.append(Participant(name: QEMU.name) { try rate("cycles", perSecond: frequency * 1e3, command, bench.runner) })
        }
        let samples = try interleave(runs: options.runs ?? 20, participants).map { Samples(values: $0) }
        let figure = "packets_per_s"
        bench.report.begin(figure, .perSecond)
        for (participant, samples) in zip(participants, samples) {
            try bench.report.add(figure, program: participant.name, .perSecond, samples)
        }
        if bench.qemu == nil { bench.report.addAbsent(program: QEMU.name, reason: QEMU.absence) }
        for (participant, peer) in zip(participants, samples).dropFirst() {
            try bench.report.add(figure, ratio: "svmm/\(participant.name)", samples[0].ratios(to: peer))
        }
    }

    /// Two TAP interfaces and a bridge, in a network namespace that ends with this program.
    private func joinTaps(_ runner: Runner) throws {
        guard unshare(CLONE_NEWNET) == 0 else {
            throw BenchmarkError("a network namespace: \(Errno.current); this benchmark makes interfaces and needs root")
        }
        guard let ip = findProgram("ip") ?? ["/usr/sbin/ip", "/sbin/ip"].first(where: { access($0, X_OK) == 0 }) else {
            throw BenchmarkError("ip not found (Debian: apt install iproute2)")
        }
        // Nothing but the benchmark's own frames.
        if let file = try? FileDescriptor.open("/proc/sys/net/ipv6/conf/default/disable_ipv6", .writeOnly) {
            try? [UInt8(ascii: "1")].withUnsafeBytes { try file.writeAll($0) }
        }
        let steps = ["link add svmm-bridge type bridge mcast_snooping 0", "link set svmm-bridge up"]
            + ["svmm-a", "svmm-b"].flatMap {
                ["tuntap add \($0) mode tap vnet_hdr", "link set \($0) master svmm-bridge", "link set \($0) up"]
            }
        for step in steps { _ = try runner.run(Command(path: ip, arguments: step.split(separator: " ").map(String.init))) }
    }

    /// Frames in a second, from the number after `key=` in a line that has `frames=`, too.
    private func rate(_ key: String, perSecond unit: Double, _ command: Command, _ runner: Runner) throws -> Double {
        let output = try runner.run(command, timeout: 600).output
        func value(_ key: String, _ line: Substring) -> Double? {
            line.split(separator: " ").first { $0.hasPrefix(key + "=") }.flatMap { Double($0.dropFirst(key.count + 1)) }
        }
        for line in output.split(whereSeparator: \.isNewline) {
            guard let frames = value("frames", line), let lost = value("lost", line), let time = value(key, line), time > 0
            else { continue }
            guard lost * 100 < frames else { throw BenchmarkError("\(command.line): \(lost) of \(frames) frames lost") }
            return frames / time * unit
        }
        throw BenchmarkError("\(command.line): no frames= and \(key)= in its output:\n\(output)")
    }
}
