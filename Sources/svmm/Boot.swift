import ArgumentParser
import LinuxSystem
import MachineProtocol

struct Boot: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Boot a virtual machine from a kernel.",
        discussion: """
            The kernel is a Linux bzImage or an ELF vmlinux. SIGTERM presses the guest's ACPI power button; a second one, \
            or the end of the grace period, kills it. On a terminal, Ctrl-A x quits and Ctrl-A h helps.

            Exit status: 0 the guest powered off; 1 svmm's own error; 2 wrong usage; 10 the guest rebooted; 11 the guest \
            crashed (kernel panic, triple fault); 12 KVM refused or failed; 13 killed after the grace period; 128+n killed \
            at once by signal n (Ctrl-A x counts as SIGINT).
            """
    )

    @Option(help: ArgumentHelp("Kernel to boot: bzImage or ELF vmlinux.", valueName: "path"))
    var kernel: String

    @Option(help: ArgumentHelp("Initial RAM disk.", valueName: "path"))
    var initrd: String?

    @Option(parsing: .singleValue,
            help: ArgumentHelp("Raw disk image or block device; may be given several times. Options: ro, serial=TEXT.",
                               valueName: "path[,ro][,serial=S]"))
    var disk: [DiskOption] = []

    @Option(help: ArgumentHelp("Virtual CPUs, 1 to 64.", valueName: "n"))
    var cpus = 1

    @Option(help: ArgumentHelp("Memory: a number with K, M, G or KiB, MiB, GiB, in powers of 1024; 1M to 64G.",
                               valueName: "size"))
    var memory = MemorySize(bytes: 512 << 20)

    @Option(help: ArgumentHelp("Kernel parameters, added after svmm's own.", valueName: "text"))
    var cmdline = ""

    @Option(help: ArgumentHelp("Serial console: stdio, file=PATH, unix=PATH or none.", valueName: "where"))
    var console = ConsoleOption(description: .standardIO)

    @Option(help: ArgumentHelp("Time a guest gets to shut down, in seconds.", valueName: "seconds"))
    var grace = 10.0

    @Option(help: ArgumentHelp("What the guest's reboot does: exit or restart.", valueName: "action"))
    var onReboot = RebootOption.exit

    @Option(name: .customLong("protocol"),
            help: ArgumentHelp("How an ELF kernel is entered: auto, linux or pvh.", valueName: "name"))
    var bootProtocol = ProtocolOption.auto

    @Flag(help: "Check everything and print what would run.")
    var dryRun = false

    func validate() throws {
        guard MachineDescription.processorCounts.contains(cpus) else {
            throw ValidationError("--cpus \(cpus): expected 1 to \(MachineDescription.processorCounts.upperBound)")
        }
        // A year: long enough for anybody, and far from overflowing a timer.
        guard grace >= 0, grace <= 31_536_000 else {
            throw ValidationError("--grace \(grace): expected 0 to 31536000 seconds")
        }
    }

    func run() throws {
        try Monitor.execute(MachineDescription(
            kernel: kernel, initrd: initrd, bootProtocol: bootProtocol.value, commandLine: cmdline,
            disks: disk.map(\.description), processorCount: cpus, memorySize: memory.bytes, console: console.description,
            onReboot: onReboot.value, graceSeconds: grace, dryRun: dryRun))
    }
}
