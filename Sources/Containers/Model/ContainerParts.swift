/// Something of the host or of the guest's memory that is seen in a container.
public enum ContainerMount: Codable, Sendable, Equatable {
    /// A directory or a regular file of the host, by 9p; `ownership` nil: as the host's user is.
    case bind(source: String, destination: String, options: MountOptions, ownership: MountOwnership? = nil)
    /// A volume of the store.
    case volume(VolumeMount)
    /// A file system in the guest's memory. Bytes (0: half of the memory), and the mode of its root.
    case temporary(destination: String, size: UInt64, mode: UInt16, options: MountOptions)

    public var destination: String {
        switch self {
        case .bind(_, let destination, _, _), .temporary(let destination, _, _, _): destination
        case .volume(let mount): mount.destination
        }
    }
}

/// Who owns the files of a bind mount, as the container sees it and as the host keeps it.
public enum MountOwnership: Codable, Sendable, Equatable {
    /// As they are on the host: what root's containers get by themselves.
    case passthrough
    /// The container's owners and modes are kept beside the files, in an extended attribute.
    case mapped
    /// Everything belongs to this user and group, or to whoever asks: what the containers of other users get by themselves.
    case squash(user: UInt32? = nil, group: UInt32? = nil)
}

public struct MountOptions: OptionSet, Codable, Sendable, Equatable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }
    public static let readOnly = MountOptions(rawValue: 1)
    public static let noSetID = MountOptions(rawValue: 2)
    public static let noDevices = MountOptions(rawValue: 4)
    public static let noExecution = MountOptions(rawValue: 8)
}

/// A port of the host that leads into the container.
public struct ContainerPort: Codable, Sendable, Equatable {
    public enum Transport: String, Codable, Sendable {
        case tcp, udp
    }

    /// nil: all addresses of the host.
    public var address: String?
    /// 0: any that is free when the container is made.
    public var host: UInt16
    public var container: UInt16
    public var transport: Transport

    public init(address: String? = nil, host: UInt16, container: UInt16, transport: Transport = .tcp) {
        self.address = address
        self.host = host
        self.container = container
        self.transport = transport
    }
}

/// A line of /etc/hosts (--add-host).
public struct HostEntry: Codable, Sendable, Equatable {
    public var name: String
    /// nil: the host, as the container reaches it (`host-gateway`).
    public var address: String?

    public init(name: String, address: String?) {
        self.name = name
        self.address = address
    }
}

public enum ContainerRestart: Codable, Sendable, Equatable {
    case never
    /// nil: without end.
    case onFailure(maximum: UInt32?)
    case always
    case unlessStopped
}

/// An RLIMIT_*; UInt64.max is no limit.
public struct ContainerLimit: Codable, Sendable, Equatable {
    /// As in `--ulimit`: nofile, nproc….
    public var name: String
    public var soft: UInt64
    public var hard: UInt64

    public init(name: String, soft: UInt64, hard: UInt64) {
        self.name = name
        self.soft = soft
        self.hard = hard
    }
}

/// What becomes of a container's output.
public struct ContainerLog: Codable, Sendable, Equatable {
    public var isKept = true
    /// Bytes of a file before the next one is begun; 0: no limit.
    public var maximumSize: UInt64 = 16 << 20
    /// 1...100.
    public var maximumFiles: UInt8 = 2

    public init() {}
}

/// Times in milliseconds.
public struct ContainerHealthCheck: Codable, Sendable, Equatable {
    public var command: [String]
    public var interval: UInt64
    public var timeout: UInt64
    public var startPeriod: UInt64
    public var retries: UInt32
}

/// What a container gets that asks for nothing else.
public enum ContainerDefaults {
    /// Bytes. Memory that the container does not use is not taken from the host.
    public static let memory: UInt64 = 512 << 20
    /// As many as the host has, and no more than this.
    public static let processors = 4
    /// Bytes of /dev/shm.
    public static let sharedMemory: UInt64 = 64 << 20
    /// Seconds.
    public static let stopTimeout: UInt32 = 10
    public static let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
}
