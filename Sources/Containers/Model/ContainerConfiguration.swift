/// How a container is run, the image's word and the user's put together: what the store keeps of it.
public struct ContainerConfiguration: Codable, Sendable, Equatable {
    public var entrypoint: [String]
    public var command: [String]
    /// NAME=VALUE, each name once.
    public var environment: [String]
    public var user: String
    public var additionalGroups: [String]
    public var workingDirectory: String
    public var hostname: String
    public var hasInput: Bool
    public var hasTerminal: Bool
    public var hasInit: Bool
    public var isRootReadOnly: Bool
    public var mounts: [ContainerMount]
    /// Directories that the image wants as volumes, and that no mount of the user's is for: each is an anonymous volume among the mounts.
    /// Of a container from before there were any, they are part of its own writable layer.
    public var volumes: [String]
    public var network: ContainerNetwork
    public var ports: [ContainerPort]
    /// In the user network, dot-decimal; nil in others.
    public var address: String?
    /// Of the user network's interface, six bytes; nil: of svmm's choice.
    public var macAddress: [UInt8]?
    public var dnsServers: [String]
    public var dnsDomains: [String]
    public var dnsOptions: [String]
    public var hosts: [HostEntry]
    public var memory: UInt64
    public var processors: Int
    public var processLimit: UInt32
    public var sharedMemory: UInt64
    public var labels: [String: String]
    public var annotations: [String: String]
    /// A Linux signal number.
    public var stopSignal: UInt8
    public var stopTimeout: UInt32
    public var restart: ContainerRestart
    public var limits: [ContainerLimit]
    public var sysctls: [String: String]
    /// Names, sorted by their numbers.
    public var capabilities: [String]
    public var hasNoNewPrivileges: Bool
    /// nil: svmm's own.
    public var kernel: String?
    /// Whether its machine always boots, and never goes on from a template; nil: no.
    public var isCold: Bool?
    public var health: ContainerHealthCheck?
    public var log: ContainerLog

    /// What is executed.
    public var arguments: [String] { entrypoint + command }
}

/// A container as the store has it.
public struct ContainerRecord: Sendable, Equatable {
    /// 64 hexadecimal digits.
    public var identifier: String
    public var name: String
    /// Nanoseconds since 1970.
    public var created: UInt64
    /// As the user named it; the digest of its manifest; the name of its root file system in the store.
    public var image: String
    public var digest: String
    public var root: String
    /// Whether it is removed at its end.
    public var isTemporary: Bool
    public var configuration: ContainerConfiguration

    public var shortIdentifier: String { ContainerIdentifier.short(identifier) }
}
