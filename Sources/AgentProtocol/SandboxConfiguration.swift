import Wire

/// What a container finds around it, set up once before its first process: root, mounts, files, network, limits.
public struct SandboxConfiguration: Equatable, Sendable {
    public var hostname: String
    public var domainName: String
    public var root: RootConfiguration
    /// In the order in which they are mounted, over the usual ones: /proc, /sys, /dev, /dev/pts, /dev/shm, /dev/mqueue, /sys/fs/cgroup, /run is
    /// the image's.
    public var mounts: [Mount]
    /// Bytes of /dev/shm.
    public var sharedMemorySize: UInt64
    /// Files that are put over the image's own without changing it: /etc/hosts, /etc/resolv.conf, /etc/hostname.
    public var files: [File]
    public var interfaces: [Interface]
    /// Names as in /proc/sys with dots, and values.
    public var kernelParameters: [KernelParameter]
    /// Paths in the container over which nothing is to be seen (/proc/kcore…), and such as cannot be written to (/proc/sys…).
    public var maskedPaths: [String]
    public var readOnlyPaths: [String]
    /// Processes at a time; 0: as many as the kernel allows.
    public var processLimit: UInt32
    /// What the main process gets when the power button is pressed: a Linux signal number.
    public var stopSignal: UInt8
    /// Milliseconds between that signal and SIGKILL.
    public var stopGrace: UInt32
    /// Nanoseconds since 1970, the host's clock when this was written; 0: leave the guest's alone.
    public var time: UInt64
    /// Random bytes, at most 64, for the guest's kernel to mix into its own: a machine from a template has those of every other one. Empty:
    /// nothing.
    public var seed: [UInt8]

    public init(hostname: String, root: RootConfiguration) {
        self.hostname = hostname
        self.root = root
        domainName = ""
        mounts = []
        sharedMemorySize = 64 << 20
        files = []
        interfaces = []
        kernelParameters = []
        maskedPaths = []
        readOnlyPaths = []
        processLimit = 0
        stopSignal = 15
        stopGrace = 10_000
        time = 0
        seed = []
    }

    public struct RootConfiguration: Equatable, Sendable {
        /// Serial number of the disk with the image, which is mounted read-only.
        public var imageDisk: String
        /// Serial number of the disk whose file system takes what the container writes; nil: a tmpfs does.
        public var writableDisk: String?
        /// Whether the container sees its root read-only.
        public var isReadOnly: Bool

        public init(imageDisk: String, writableDisk: String?, isReadOnly: Bool = false) {
            self.imageDisk = imageDisk
            self.writableDisk = writableDisk
            self.isReadOnly = isReadOnly
        }
    }

    public struct Mount: Equatable, Sendable {
        public enum Source: Equatable, Sendable {
            /// A share below the 9p device with this tag, by its name there.
            case share(tag: String, name: String)
            /// Size in bytes (0: half of the memory) and mode of its root.
            case temporary(size: UInt64, mode: UInt16)
            /// An ext4 file system on the disk with this serial number. One that is smaller than its disk grows first.
            case disk(String)
        }

        public var source: Source
        /// Absolute, in the container; made if it is missing.
        public var destination: String
        public var isReadOnly: Bool
        /// nosuid, nodev, noexec.
        public var flags: Flags
        /// Whether the volume first gets what the image has at the destination. Who asks for that knows that there is nothing in it, or the
        /// beginning of just that, from an attempt that was cut short.
        public var copiesImage: Bool

        public struct Flags: OptionSet, Equatable, Sendable {
            public let rawValue: UInt8
            public init(rawValue: UInt8) { self.rawValue = rawValue }
            public static let noSetID = Flags(rawValue: 1)
            public static let noDevices = Flags(rawValue: 2)
            public static let noExecution = Flags(rawValue: 4)
        }

        public init(_ source: Source, at destination: String, isReadOnly: Bool = false, flags: Flags = [], copiesImage: Bool = false) {
            self.source = source
            self.destination = destination
            self.isReadOnly = isReadOnly
            self.flags = flags
            self.copiesImage = copiesImage
        }
    }

    public struct File: Equatable, Sendable {
        public var path: String
        public var mode: UInt16
        /// At most 1 MiB.
        public var contents: [UInt8]

        public init(path: String, mode: UInt16 = 0o644, contents: [UInt8]) {
            self.path = path
            self.mode = mode
            self.contents = contents
        }
    }

    public struct Interface: Equatable, Sendable {
        /// Six bytes, by which the guest's interface is found.
        public var mac: [UInt8]
        /// The name that it gets: eth0, eth1…
        public var name: String
        /// Bytes; 0: as the device says.
        public var mtu: UInt16
        public var addresses: [Address]
        /// Next hops of the default routes: 4 or 16 bytes each.
        public var gateways: [[UInt8]]

        public init(mac: [UInt8], name: String, mtu: UInt16 = 0, addresses: [Address], gateways: [[UInt8]]) {
            self.mac = mac
            self.name = name
            self.mtu = mtu
            self.addresses = addresses
            self.gateways = gateways
        }
    }

    public struct Address: Equatable, Sendable {
        /// 4 bytes for IPv4, 16 for IPv6.
        public var bytes: [UInt8]
        public var prefixLength: UInt8

        public init(bytes: [UInt8], prefixLength: UInt8) {
            self.bytes = bytes
            self.prefixLength = prefixLength
        }
    }

    public struct KernelParameter: Equatable, Sendable {
        public var name: String
        public var value: String

        public init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }
}
