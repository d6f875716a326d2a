/// What a user asks for with `svmm container create` or `run`. What is nil or empty is the image's word, or svmm's own default.
public struct ContainerRequest: Sendable, Equatable {
    /// As the user named it.
    public var image: String
    /// Takes the place of the image's own command.
    public var command: [String] = []
    /// Takes the place of the image's entrypoint, and then of its command, too; empty: none.
    public var entrypoint: [String]?
    /// nil: two random words.
    public var name: String?
    /// NAME=VALUE; the last of several with one name counts.
    public var environment: [String] = []
    /// As in an image's configuration.
    public var user: String?
    public var additionalGroups: [String] = []
    public var workingDirectory: String?
    /// nil: the beginning of the identifier.
    public var hostname: String?
    /// Whether standard input stays open (-i).
    public var hasInput = false
    /// Whether the process gets a terminal (-t).
    public var hasTerminal = false
    /// Whether the container is removed at its end (--rm).
    public var isTemporary = false
    public var hasInit = false
    public var isRootReadOnly = false
    public var mounts: [ContainerMount] = []
    /// nil: `user` where passt(1) is installed, otherwise `none`.
    public var network: ContainerNetwork?
    public var ports: [ContainerPort] = []
    /// Whether the ports that the image exposes are published, too, each at a port of the host that is free (-P).
    public var publishesExposedPorts = false
    /// For the only network: IPv4, dot-decimal, IPv6, and six bytes.
    public var address: String?
    public var address6: String?
    public var macAddress: [UInt8]?
    /// Further names on the only network.
    public var networkAliases: [String] = []
    /// Name servers, search domains and options of resolv.conf(5); empty: the host's.
    public var dnsServers: [String] = []
    public var dnsDomains: [String] = []
    public var dnsOptions: [String] = []
    public var hosts: [HostEntry] = []
    /// Bytes; nil: `ContainerDefaults.memory`.
    public var memory: UInt64?
    /// 1...64; nil: `ContainerDefaults.processors`.
    public var processors: Int?
    public var processLimit: UInt32 = 0
    /// Bytes of /dev/shm.
    public var sharedMemory: UInt64?
    public var labels: [String: String] = [:]
    public var annotations: [String: String] = [:]
    /// A name or a number.
    public var stopSignal: String?
    /// Seconds.
    public var stopTimeout: UInt32?
    public var restart = ContainerRestart.never
    public var limits: [ContainerLimit] = []
    public var sysctls: [String: String] = [:]
    /// Names, also `ALL`.
    public var addedCapabilities: [String] = []
    public var droppedCapabilities: [String] = []
    public var hasNoNewPrivileges = false
    /// Path on the host; nil: svmm's own.
    public var kernel: String?
    /// Whether its machine always boots, and never goes on from a template.
    public var isCold = false
    public var health = HealthRequest()
    public var log = ContainerLog()

    public init(image: String) {
        self.image = image
    }
}

/// What of an image's health check is to be otherwise. Times in milliseconds.
public struct HealthRequest: Sendable, Equatable {
    public var isDisabled = false
    /// As in an image's configuration: `CMD` and words, `CMD-SHELL` and a line; nil: the image's.
    public var test: [String]?
    public var interval: UInt64?
    public var timeout: UInt64?
    public var startPeriod: UInt64?
    public var retries: UInt32?

    public init() {}
}
