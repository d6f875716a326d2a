import CLinux
import Glibc
import LinuxSystem

/// What every subcommand works with.
struct Workbench {
    /// The name of the bare KVM_RUN loop in figures.
    static let bare = "bare-c"

    let runner: Runner
    let report: Report
    let options: CommonOptions
    let qemu: QEMU?

    /// Checks that there is a KVM, and heads the report.
    init(_ bench: String, _ options: CommonOptions) throws {
        do {
            _ = try FileDescriptor.open("/dev/kvm", .readWrite)
        } catch {
            throw BenchmarkError("/dev/kvm: \(error); benchmarks need a KVM (Tools/rig brings one)")
        }
        self.options = options
        runner = try Runner()
        report = try Report(bench: bench, json: options.json)
        qemu = QEMU.installed
        report.note("machine", Self.machine)
        report.note("svmm", "\(try firstLine(options.svmm, ["--version"])), \(options.svmm)")
        if let qemu { report.note("qemu-microvm", try firstLine(qemu.path, ["--version"])) }
    }

    /// `svmm boot` with this payload.
    func svmm(_ payload: String, _ arguments: String...) -> Command {
        let machine = ["--kernel", options.payload(payload), "--memory", "128M", "--cpus", "1"]
        return Command(path: options.svmm, arguments: ["boot"] + machine + arguments)
    }

    /// The bare loop with this payload.
    func bare(_ payload: String, _ words: String = "") -> Command {
        Command(path: options.bareKVM, arguments: [options.payload(payload), words])
    }

    /// Ticks of the time-stamp counter in a millisecond.
    func timestampFrequency() throws -> Double {
        let output = try runner.run(Command(path: options.bareKVM, arguments: ["--tsc-khz"])).output
        guard let frequency = Double(output.prefix { !$0.isNewline }), frequency > 0 else {
            throw BenchmarkError("\(options.bareKVM) --tsc-khz: not a number: \(output)")
        }
        return frequency
    }

    private func firstLine(_ path: String, _ arguments: [String]) throws -> String {
        let output = try runner.run(Command(path: path, arguments: arguments)).output
        return String(output.prefix { $0 != "\n" })
    }

    private static var machine: String {
        let lines = String(decoding: contents(ofSmallFile: "/proc/cpuinfo") ?? [], as: UTF8.self).split(separator: "\n")
        func value(_ key: String) -> Substring {
            lines.first { $0.hasPrefix(key) }?.split(separator: ":").last?.drop { $0 == " " } ?? "unknown"
        }
        let flags = value("flags").split(separator: " ")
        let virtualization = flags.contains("vmx") ? "vmx" : flags.contains("svm") ? "svm" : "no vmx or svm"
        let release = String(decoding: contents(ofSmallFile: "/proc/sys/kernel/osrelease") ?? [], as: UTF8.self)
        return "\(value("model name")), \(sysconf(Int32(_SC_NPROCESSORS_ONLN))) processors, "
            + "Linux \(release.prefix { $0 != "\n" }), \(virtualization)"
    }
}

/// QEMU's microvm machine, with as little in it as a payload needs.
struct QEMU {
    /// Its name in figures.
    static let name = "qemu-microvm"
    static let absence = "not installed (qemu-system-x86)"

    let path: String

    /// The one in PATH.
    static var installed: QEMU? {
        guard let folders = getenv("PATH").map({ String(cString: $0) }) else { return nil }
        let paths = folders.split(separator: ":").map { "\($0)/qemu-system-x86_64" }
        return paths.first { access($0, X_OK) == 0 }.map { QEMU(path: $0) }
    }

    /// Entered by PVH. Its payloads leave by isa-debug-exit, whose lowest status is 1.
    func command(kernel: String, serial: String, _ arguments: String...) -> Command {
        Command(
            path: path,
            arguments: [
                "-M", "microvm,acpi=off", "-cpu", "host,arch-capabilities=off", "-accel", "kvm", "-kernel", kernel,
                "-nodefaults", "-display", "none", "-serial", serial, "-no-reboot",
                "-device", "isa-debug-exit,iobase=0x501,iosize=2", "-m", "128",
            ] + arguments,
            expectedStatus: 1)
    }
}
