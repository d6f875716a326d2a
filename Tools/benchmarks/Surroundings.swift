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

    /// "vmx" or "svm", which a guest that runs Linux needs; nil where the processor has neither.
    static var hardwareVirtualization: String? {
        let flags = processorLine("flags").split(separator: " ")
        return ["vmx", "svm"].first { flags.contains(Substring($0)) }
    }

    private static func processorLine(_ key: String) -> String {
        let lines = String(decoding: contents(ofSmallFile: "/proc/cpuinfo") ?? [], as: UTF8.self).split(separator: "\n")
        return lines.first { $0.hasPrefix(key) }?.split(separator: ":").last.map { String($0.drop { $0 == " " }) } ?? "unknown"
    }

    private static var machine: String {
        let virtualization = hardwareVirtualization ?? "no vmx or svm"
        let release = String(decoding: contents(ofSmallFile: "/proc/sys/kernel/osrelease") ?? [], as: UTF8.self)
        return "\(processorLine("model name")), \(sysconf(Int32(_SC_NPROCESSORS_ONLN))) processors, "
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
    ///
    /// - Parameter memory: MiB.
    func command(kernel: String, serial: String, memory: Int = 128, _ arguments: String...) -> Command {
        Command(
            path: path,
            arguments: [
                "-M", "microvm,acpi=off", "-cpu", "host,arch-capabilities=off", "-accel", "kvm", "-kernel", kernel,
                "-nodefaults", "-display", "none", "-serial", serial, "-no-reboot",
                "-device", "isa-debug-exit,iobase=0x501,iosize=2", "-m", "\(memory)",
            ] + arguments,
            expectedStatus: 1)
    }

    /// With a Linux guest, which finds its devices by ACPI and leaves by a reboot.
    func command(linux guest: LinuxGuest, _ words: String, _ arguments: [String]) -> Command {
        command(linux: guest.kernel, initramfs: guest.initramfs, memory: LinuxGuest.memory, words, arguments)
    }

    /// - Parameter memory: MiB.
    func command(linux kernel: String, initramfs: String, memory: Int, _ words: String, _ arguments: [String]) -> Command {
        Command(
            path: path,
            arguments: [
                "-M", "microvm", "-cpu", "host", "-accel", "kvm", "-global", "virtio-mmio.force-legacy=false",
                "-kernel", kernel, "-initrd", initramfs, "-append", "console=ttyS0 panic=-1 \(words)",
                "-nodefaults", "-no-user-config", "-display", "none", "-serial", "stdio", "-no-reboot",
                "-m", "\(memory)", "-smp", "1",
            ] + arguments)
    }
}
