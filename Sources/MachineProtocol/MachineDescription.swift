/// Everything that makes one virtual machine, as the command line hands it to `svmm-vmm`.
public struct MachineDescription: Equatable, Sendable {
    public var kernel: String
    public var initrd: String?
    public var bootProtocol: BootProtocol
    /// Added after svmm's own parameters, so that it can override them.
    public var commandLine: String
    public var disks: [DiskDescription]
    public var shares: [ShareDescription]
    /// Tags of 9p devices with a directory of shares, also such as have none yet.
    public var shareRoots: [String]
    /// nil: no such device.
    public var vsock: VsockDescription?
    public var interfaces: [NetworkDescription]
    /// What the user calls the machine; nil: nothing.
    public var name: String?
    /// The directory with the machine's sockets (see `StateFiles`), made if need be; nil: none.
    public var stateDirectory: String?
    /// 1...64.
    public var processorCount: Int
    /// Bytes.
    public var memorySize: UInt64
    public var console: ConsoleDescription
    public var consoleModel: ConsoleModel
    /// Whether the guest has a balloon, by which it gives memory back.
    public var hasBalloon: Bool
    /// Random bytes that the guest gets in a second at the most: `entropyRates`; nil: as many as it asks for.
    public var entropyRate: UInt64?
    public var onReboot: RebootAction
    /// Seconds between the power button and the kill.
    public var graceSeconds: Double
    /// Whether a Linux kernel may be started on a KVM without hardware virtualization behind it.
    public var allowsSoftwareKVM: Bool
    /// Say what would run, and do not run it.
    public var dryRun: Bool
    /// A snapshot that the machine comes from; nil: it boots. When its guest reboots, the machine boots.
    public var restore: RestoreDescription?
    /// Where a machine that boots is to be saved when its companion finds it ready, before it gets its disks: a template for others. nil:
    /// nowhere.
    public var template: String?

    public init(kernel: String, initrd: String? = nil, bootProtocol: BootProtocol = .automatic,
                commandLine: String = "", disks: [DiskDescription] = [],
                shares: [ShareDescription] = [], shareRoots: [String] = [], vsock: VsockDescription? = nil,
                interfaces: [NetworkDescription] = [], name: String? = nil, stateDirectory: String? = nil,
                processorCount: Int = 1, memorySize: UInt64 = 512 << 20, console: ConsoleDescription = .standardIO,
                consoleModel: ConsoleModel = .serial, hasBalloon: Bool = true, entropyRate: UInt64? = nil,
                onReboot: RebootAction = .exit, graceSeconds: Double = 10, allowsSoftwareKVM: Bool = false,
                dryRun: Bool = false, restore: RestoreDescription? = nil, template: String? = nil) {
        self.kernel = kernel
        self.initrd = initrd
        self.bootProtocol = bootProtocol
        self.commandLine = commandLine
        self.disks = disks
        self.shares = shares
        self.shareRoots = shareRoots
        self.vsock = vsock
        self.interfaces = interfaces
        self.name = name
        self.stateDirectory = stateDirectory
        self.processorCount = processorCount
        self.memorySize = memorySize
        self.console = console
        self.consoleModel = consoleModel
        self.hasBalloon = hasBalloon
        self.entropyRate = entropyRate
        self.onReboot = onReboot
        self.graceSeconds = graceSeconds
        self.allowsSoftwareKVM = allowsSoftwareKVM
        self.dryRun = dryRun
        self.restore = restore
        self.template = template
    }

    /// How many vCPUs a machine may have.
    public static let processorCounts = 1...64

    /// Memory sizes in bytes: whole pages of `pageSize`, from 1 MiB to 64 GiB.
    public static let memorySizes: ClosedRange<UInt64> = (1 << 20)...(64 << 30)
    public static let pageSize: UInt64 = 4096

    /// Bytes per second.
    public static let entropyRates: ClosedRange<UInt64> = 1...(1 << 40)

    /// Grace periods in seconds. A year is long enough for anybody, and far from overflowing a timer.
    public static let gracePeriods = 0...31_536_000.0
}

/// What the guest has as its console.
public enum ConsoleModel: UInt8, Sendable {
    /// A 16550A, ttyS0.
    case serial
    /// virtio-console, hvc0.
    case virtio
}

/// Where the console goes.
public enum ConsoleDescription: Equatable, Sendable {
    /// Standard input and output; a terminal is put into raw mode.
    case standardIO
    /// Output into a file, made or emptied first.
    case file(String)
    /// A listening unix socket, one client at a time.
    case unixSocket(String)
    /// Nowhere; the guest is not told of a console.
    case none
}

/// How the kernel is entered.
public enum BootProtocol: UInt8, Sendable {
    /// Linux's own protocol for Linux kernels, PVH for other ELF kernels that carry its note.
    case automatic, linux, pvh
}

/// What a guest's reboot does.
public enum RebootAction: UInt8, Sendable {
    case exit, restart
}

/// Exit statuses of `svmm boot` beside 128+n for "killed by signal n at once".
public enum ExitStatus {
    public static let poweredOff: Int32 = 0
    public static let failure: Int32 = 1
    public static let usage: Int32 = 2
    public static let rebooted: Int32 = 10
    public static let crashed: Int32 = 11
    public static let kvmError: Int32 = 12
    public static let killedAfterGrace: Int32 = 13

    public static func signal(_ number: Int32) -> Int32 { 128 + number }
}
