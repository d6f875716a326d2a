import ArgumentParser
import Glibc
import LinuxSystem

/// What a container costs: time to run `true` in one, and memory beside what it does.
struct ContainerBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "container",
        abstract: "Containers from their start to their end, beside podman's."
    )

    @OptionGroup var options: CommonOptions

    @Option(help: ArgumentHelp("OCI layout with the image (Tools/test-images).", valueName: "directory"))
    var layout: String

    @Option(help: ArgumentHelp("The image in it.", valueName: "tag"))
    var tag = "busybox"

    @Option(help: ArgumentHelp("The guest's kernel (Kernel/build).", valueName: "path"))
    var kernel: String

    @Option(help: ArgumentHelp("The guest's initramfs (Tools/agent).", valueName: "path"))
    var agent: String

    private var runs: Int { options.runs ?? 10 }

    func run() throws {
        let bench = try Workbench("container", options)
        let scratch = try ScratchDirectory("/run")
        defer { scratch.remove() }
        setenv("SVMM_ROOT", scratch.path + "/svmm", 1)
        setenv("SVMM_KERNEL", kernel, 1)
        setenv("SVMM_AGENT", agent, 1)
        let source = "oci:\(layout):\(tag)"
        _ = try bench.runner.run(svmm("image", "pull", "--quiet", source), timeout: 600)
        let podman = try Podman(storage: scratch.path + "/podman", layout: layout, tag: tag, bench)
        try measureRun(bench, image: source, podman)
        try measureMemory(bench, image: source)
    }

    private func svmm(_ arguments: String...) -> Command {
        Command(path: options.svmm, arguments: arguments)
    }

    /// Both ways to start beside the peer, in turn: `cold` boots the machine, `warm` goes on from a template.
    private func measureRun(_ bench: Workbench, image: String, _ podman: Podman?) throws {
        func own(_ options: [String]) -> Command {
            Command(path: self.options.svmm, arguments: ["container", "run", "--rm", "--network", "none"] + options + [image, "true"])
        }
        let (cold, warm) = (own(["--cold"]), own([]))
        // The first makes the template.
        for _ in 0..<2 { _ = try bench.runner.run(warm) }
        var participants = [
            Participant(name: "svmm") { try bench.runner.run(cold).milliseconds },
            Participant(name: "svmm") { try bench.runner.run(warm).milliseconds },
        ]
        if let podman {
            let peer = podman.command("run", "--rm", "--network", "none", podman.image, "true")
            participants.append(Participant(name: Podman.name) { try bench.runner.run(peer).milliseconds })
        }
        let samples = try interleave(runs: runs, participants).map { Samples(values: $0) }
        for (place, figure) in ["run_true_cold", "run_true_warm"].enumerated() {
            bench.report.begin(figure, .milliseconds)
            try bench.report.add(figure, program: "svmm", .milliseconds, samples[place])
            if samples.count > 2 {
                try bench.report.add(figure, program: Podman.name, .milliseconds, samples[2])
                try bench.report.add(figure, ratio: "svmm/\(Podman.name)", samples[place].ratios(to: samples[2]))
            } else {
                bench.report.addAbsent(program: Podman.name, reason: Podman.absence)
            }
        }
    }

    /// Resident memory of the monitor, the guest's included, less what the container's own kernel counts for its processes.
    private func measureMemory(_ bench: Workbench, image: String) throws {
        let figure = "memory_overhead"
        let name = "bench-memory"
        var samples: [Double] = []
        for _ in 0..<min(runs, 5) {
            _ = try bench.runner.run(svmm("container", "run", "-d", "--name", name, "--network", "none", image, "sleep", "1000"))
            let words = try bench.runner.run(
                svmm("container", "stats", "--no-stream", "--format", "{{.MemBytes}} {{.GuestMemBytes}}", name)
            ).output.split(whereSeparator: \.isWhitespace)
            _ = try bench.runner.run(svmm("container", "rm", "-f", name))
            guard words.count == 2, let resident = Double(words[0]), let used = Double(words[1]), resident > used else {
                throw BenchmarkError("svmm container stats: not two sizes: \(words)")
            }
            samples.append((resident - used) / Double(1 << 20))
        }
        bench.report.begin(figure, .mebibytes)
        try bench.report.add(figure, program: "svmm", .mebibytes, Samples(values: samples))
    }
}

/// podman with crun, on a storage of its own. `vfs` is the driver that works on every file system.
private struct Podman {
    static let name = "podman"
    static let absence = "not installed (podman, crun)"

    let path: String
    let storage: String
    let image = "localhost/bench:latest"

    /// nil where it is not installed.
    init?(storage: String, layout: String, tag: String, _ bench: Workbench) throws {
        guard let path = findProgram("podman"), findProgram("crun") != nil else { return nil }
        self.path = path
        self.storage = storage
        // podman makes a name of the layout's path, and takes no dots at its components' beginnings.
        let plain = storage + "-layout"
        guard symlink(layout, plain) == 0 else { throw BenchmarkError("\(plain): \(Errno.current)") }
        let source = "oci:\(plain):\(tag)"
        let identifier = try bench.runner.run(command("pull", "--quiet", source), timeout: 600).output.split { $0.isNewline }.last ?? ""
        _ = try bench.runner.run(command("tag", String(identifier), image))
        bench.report.note("podman", try bench.runner.run(Command(path: path, arguments: ["--version"])).output.split { $0.isNewline }.joined())
    }

    func command(_ arguments: String...) -> Command {
        Command(
            path: path,
            arguments: ["--root", storage + "/root", "--runroot", storage + "/run", "--storage-driver", "vfs", "--runtime", "crun",
                        "--cgroup-manager", "cgroupfs", "--events-backend", "none"] + arguments)
    }
}

/// A directory of its own for one run.
private struct ScratchDirectory {
    let path: String

    /// Its name is one that podman takes as a part of an image's name.
    init(_ parent: String) throws {
        path = "\(parent)/svmm-bench-\(CurrentProcess.identifier)"
        do {
            try makeDirectory(path, permissions: 0o700)
        } catch {
            throw BenchmarkError("\(path): \(error); expected to make a directory there")
        }
    }

    /// With all that is in it: the measured programs' own files.
    func remove() {
        if let program = findProgram("rm"), let child = try? Subprocess(program, arguments: ["rm", "-rf", path], descriptors: []) {
            child.wait()
        }
    }
}
