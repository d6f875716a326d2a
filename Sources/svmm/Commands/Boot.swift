import ArgumentParser
import CommandSupport
import LinuxSystem
import MachineProtocol

struct Boot: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Boot a virtual machine from a kernel.",
        discussion: """
            The kernel is a Linux bzImage or an ELF kernel such as vmlinux. SIGTERM presses the guest's ACPI power button; \
            a second one, or the end of the grace period, kills the guest. On a terminal, Ctrl-A x quits and Ctrl-A h helps.

            Exit status: 0 the guest powered off; 1 svmm's own error; 2 wrong usage; 10 the guest rebooted; 11 the guest \
            crashed (kernel panic, triple fault); 12 KVM refused or failed; 13 killed after the grace period; 128+n killed \
            at once by signal n (Ctrl-A x counts as SIGINT).
            """
    )

    @Option(help: ArgumentHelp("Kernel to boot: bzImage or ELF.", valueName: "path"))
    var kernel: String

    @Option(help: ArgumentHelp("Initial RAM disk.", valueName: "path"))
    var initrd: String?

    @Option(parsing: .singleValue,
            help: ArgumentHelp(
                "Raw disk image or block device; may be given several times. Options: ro, serial=S, size=SIZE (made if "
                    + "missing), format=raw, cache=writeback|writethrough|none, engine=auto|io_uring|threads, queues=N "
                    + "(default: one for each CPU), iops=N, iops-burst=N, bps=SIZE, bps-burst=SIZE.",
                valueName: "path[,option]..."),
            transform: { try DiskDescription(parsing: $0) })
    var disk: [DiskDescription] = []

    @Option(parsing: .singleValue,
            help: ArgumentHelp("Directory that the guest mounts by 9p; may be given several times.",
                               valueName: "hostdir:tag[/name][,ro][,devices][,uidmap=how]"),
            transform: { try ShareDescription(parsing: $0) })
    var share: [ShareDescription] = []

    @Option(parsing: .singleValue,
            help: ArgumentHelp("Tag for a directory of shares, to which svmm share adds.", valueName: "tag"),
            transform: { argument in
                guard case (let tag, nil) = try ShareDescription.place(argument[...]) else { throw Expected("TAG") }
                return tag
            })
    var shareRoot: [String] = []

    @Option(help: ArgumentHelp("Sockets between host and guest: user[,path=PATH][,cid=N] or vhost[,cid=N].",
                               valueName: "backend"),
            transform: { try VsockDescription(parsing: $0) })
    var vsock: VsockDescription?

    @Option(help: ArgumentHelp("Guest ports that become unix sockets guest.XXXXXXXX in the state directory.",
                               valueName: "n,n…"),
            transform: { try VsockDescription.ports(parsing: $0) })
    var vsockPorts: [UInt32] = []

    @Option(parsing: .singleValue,
            help: ArgumentHelp("Network interface: tap[=NAME], user, fd=N or none, and words; may be given several times.",
                               valueName: "backend[,word]…"),
            transform: { try NetworkDescription.parse($0) })
    var net: [NetworkDescription?] = []

    @Option(parsing: .singleValue,
            help: ArgumentHelp("Port of the host that leads into the guest by its user network; may be given several times.",
                               valueName: "[address:]host:guest[/tcp|/udp]"),
            transform: { try PublishedPort(parsing: $0) })
    var publish: [PublishedPort] = []

    @Option(help: ArgumentHelp("The machine's name, for svmm's other commands.", valueName: "name"),
            transform: { try MachineName.check($0) })
    var name: String?

    @Option(help: ArgumentHelp("Directory for the machine's sockets. (default: by name)", valueName: "directory"))
    var state: String?

    @Option(help: ArgumentHelp("Virtual CPUs, 1 to 64. (default: 1)", valueName: "n"),
            transform: { try number($0, in: MachineDescription.processorCounts, unit: "") })
    var cpus = 1

    @Option(help: ArgumentHelp("Memory, 1M to 64G; also KiB, MiB, GiB. (default: 512M)", valueName: "size"),
            transform: { try MemorySize(parsing: $0) })
    var memory = MemorySize(bytes: 512 << 20)

    @Option(help: ArgumentHelp("Kernel parameters, added after svmm's own.", valueName: "text"))
    var cmdline = ""

    @Option(help: ArgumentHelp("Console: stdio, file=PATH, unix=PATH or none, as ttyS0 or hvc0. (default: stdio,device=serial)",
                               valueName: "where[,device=serial|virtio]"),
            transform: { try ConsoleOption(parsing: $0) })
    var console = ConsoleOption()

    @Option(help: ArgumentHelp("Balloon, by which the guest gives memory back: on or off. (default: on)", valueName: "switch"),
            transform: { try BalloonSwitch.parse($0) })
    var balloon = true

    @Option(help: ArgumentHelp("Random bytes per second that the guest gets at the most. (default: no limit)", valueName: "n"),
            transform: { try number($0, in: MachineDescription.entropyRates, unit: "") })
    var rngBps: UInt64?

    @Option(help: ArgumentHelp("Seconds that a guest gets to shut down. (default: 10)", valueName: "seconds"),
            transform: { try number($0, in: MachineDescription.gracePeriods, unit: " seconds") })
    var grace = 10.0

    @Option(help: ArgumentHelp("What the guest's reboot does: exit or restart. (default: exit)", valueName: "action"),
            transform: { try RebootAction(parsing: $0) })
    var onReboot = RebootAction.exit

    @Option(name: .customLong("protocol"),
            help: ArgumentHelp("How an ELF kernel is entered: auto, linux or pvh. (default: auto)", valueName: "name"),
            transform: { try BootProtocol(parsing: $0) })
    var bootProtocol = BootProtocol.automatic

    @Flag(help: "Boot Linux even where KVM has no hardware virtualization behind it.")
    var softwareKvm = false

    @Flag(help: "Check everything and print what would run.")
    var dryRun = false

    func run() throws {
        try Monitor.execute(MachineDescription(
            kernel: kernel, initrd: initrd, bootProtocol: bootProtocol, commandLine: cmdline, disks: disk, shares: try shares(),
            shareRoots: shareRoot, vsock: try vsockDescription(), interfaces: try networks(), name: name,
            stateDirectory: try stateDirectory(),
            processorCount: cpus, memorySize: memory.bytes, console: console.place, consoleModel: console.model,
            hasBalloon: balloon, entropyRate: rngBps, onReboot: onReboot, graceSeconds: grace,
            allowsSoftwareKVM: softwareKvm, dryRun: dryRun))
    }

    private func networks() throws -> [NetworkDescription] {
        do throws(Expected) {
            return try [NetworkDescription].combine(net, published: publish)
        } catch {
            throw ValidationError("--net: \(error)")
        }
    }

    /// Others are told of the paths.
    private func shares() throws -> [ShareDescription] {
        try share.map { share in
            var share = share
            share.path = try absolutePath(share.path)
            return share
        }
    }

    /// Forwarded ports bring the device with them.
    private func vsockDescription() throws -> VsockDescription? {
        guard vsock != nil || !vsockPorts.isEmpty else { return nil }
        var description = vsock ?? VsockDescription()
        // Others are told of the path.
        if case .user(let path?) = description.backend { description.backend = .user(path: try absolutePath(path)) }
        guard !vsockPorts.isEmpty else { return description }
        guard case .user = description.backend else {
            throw ValidationError("--vsock-ports with --vsock vhost: expected --vsock user; the kernel's guests are reached by AF_VSOCK")
        }
        description.forwardedPorts = vsockPorts
        return description
    }

    /// Machines that have something to find there get a directory also without a name.
    private func stateDirectory() throws -> String? {
        if let state { return try MachineName.stateDirectory(option: state) }
        guard name != nil || vsock != nil || !vsockPorts.isEmpty || !shareRoot.isEmpty || share.contains(where: { $0.name != nil })
        else { return nil }
        return MachineName.runtimeDirectory + "/" + (name ?? MachineName.automatic)
    }
}
