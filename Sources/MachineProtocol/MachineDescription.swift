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
    public var onReboot: RebootAction
    /// Seconds between the power button and the kill.
    public var graceSeconds: Double
    /// Whether a Linux kernel may be started on a KVM without hardware virtualization behind it.
    public var allowsSoftwareKVM: Bool
    /// Say what would run, and do not run it.
    public var dryRun: Bool

    public init(kernel: String, initrd: String? = nil, bootProtocol: BootProtocol = .automatic,
                commandLine: String = "", disks: [DiskDescription] = [],
                shares: [ShareDescription] = [], shareRoots: [String] = [], vsock: VsockDescription? = nil,
                interfaces: [NetworkDescription] = [], name: String? = nil, stateDirectory: String? = nil,
                processorCount: Int = 1, memorySize: UInt64 = 512 << 20, console: ConsoleDescription = .standardIO,
                onReboot: RebootAction = .exit, graceSeconds: Double = 10, allowsSoftwareKVM: Bool = false,
                dryRun: Bool = false) {
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
        self.onReboot = onReboot
        self.graceSeconds = graceSeconds
        self.allowsSoftwareKVM = allowsSoftwareKVM
        self.dryRun = dryRun
    }

    /// How many vCPUs a machine may have.
    public static let processorCounts = 1...64

    /// Grace periods in seconds. A year is long enough for anybody, and far from overflowing a timer.
    public static let gracePeriods = 0...31_536_000.0
}

/// A raw disk: a file or a block device.
public struct DiskDescription: Equatable, Sendable {
    public var path: String
    public var readOnly: Bool
    /// What the guest reads as the disk's serial number: at most 20 bytes of printable ASCII.
    public var serial: String?

    public static let maximumSerialLength = 20

    public init(path: String, readOnly: Bool = false, serial: String? = nil) {
        self.path = path
        self.readOnly = readOnly
        self.serial = serial
    }
}

/// Where the serial console goes.
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
