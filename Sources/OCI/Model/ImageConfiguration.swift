/// How an image's process is run, and the layers that are its root file system. Source: OCI image-spec, config.md, and
/// Docker's image specification 1.2 for what only that has (`Healthcheck`, `Shell`).
///
/// Only read, never written: a configuration's digest is the image's identifier, so its bytes are kept as they came.
public struct ImageConfiguration: Sendable, Decodable {
    public var created: String?
    public var author: String?
    public var architecture: String
    public var os: String
    public var variant: String?
    /// What the process gets; empty where the image does not say.
    public var config: Process
    public var rootfs: RootFileSystem

    public struct Process: Sendable, Decodable {
        /// A name or number, `USER[:GROUP]`; empty for root.
        public var user: String
        public var entrypoint: [String]
        public var cmd: [String]
        /// `NAME=VALUE` each.
        public var env: [String]
        /// Empty for `/`.
        public var workingDir: String
        public var exposedPorts: [ExposedPort]
        /// Directories that want a volume; sorted.
        public var volumes: [String]
        public var labels: [String: String]
        /// A name (`SIGQUIT`) or a number; nil for SIGTERM.
        public var stopSignal: String?
        public var healthcheck: Healthcheck?
        /// For `Healthcheck` of the kind CMD-SHELL; nil for /bin/sh -c.
        public var shell: [String]?
    }

    public struct RootFileSystem: Sendable, Decodable {
        public var type: String
        /// Digests of the layers' uncompressed tars, from the lowest up.
        public var diffIDs: [Digest]

        enum CodingKeys: String, CodingKey {
            case type
            case diffIDs = "diff_ids"
        }
    }

    enum CodingKeys: String, CodingKey {
        case created, author, architecture, os, variant, config, rootfs
    }

    /// Reads a configuration of at most `ImageLimits.configuration` bytes. `what` begins the message of an error.
    public init(json bytes: [UInt8], what: String) throws(ImageError) {
        self = try decodeJSON(ImageConfiguration.self, from: bytes, limit: ImageLimits.configuration, what: what)
        guard rootfs.type == "layers" else {
            throw .invalidDocument(what: what, reason: "a root file system of type \(quoted(rootfs.type)), expected \"layers\"")
        }
        guard rootfs.diffIDs.count <= ImageLimits.layers else {
            throw .invalidDocument(
                what: what, reason: "\(rootfs.diffIDs.count) layers, at most \(ImageLimits.layers) are taken")
        }
    }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        created = try values.decodeIfPresent(String.self, forKey: .created)
        author = try values.decodeIfPresent(String.self, forKey: .author)
        architecture = try values.decode(String.self, forKey: .architecture)
        os = try values.decode(String.self, forKey: .os)
        variant = try values.decodeIfPresent(String.self, forKey: .variant)
        config = try values.decodeIfPresent(Process.self, forKey: .config) ?? Process()
        rootfs = try values.decode(RootFileSystem.self, forKey: .rootfs)
    }

    public var platform: Platform { Platform(os: os, architecture: architecture, variant: variant) }
}

extension ImageConfiguration.Process {
    /// Of an image that says nothing.
    public init() {
        (user, entrypoint, cmd, env, workingDir) = ("", [], [], [], "")
        (exposedPorts, volumes, labels) = ([], [], [:])
    }

    private enum CodingKeys: String, CodingKey {
        case user = "User"
        case entrypoint = "Entrypoint"
        case cmd = "Cmd"
        case env = "Env"
        case workingDir = "WorkingDir"
        case exposedPorts = "ExposedPorts"
        case volumes = "Volumes"
        case labels = "Labels"
        case stopSignal = "StopSignal"
        case healthcheck = "Healthcheck"
        case shell = "Shell"
    }

    /// A set, as Go writes one: an object whose values say nothing.
    private struct Nothing: Decodable {
        init(from decoder: any Decoder) {}
    }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        user = try values.decodeIfPresent(String.self, forKey: .user) ?? ""
        entrypoint = try values.decodeIfPresent([String].self, forKey: .entrypoint) ?? []
        cmd = try values.decodeIfPresent([String].self, forKey: .cmd) ?? []
        env = try values.decodeIfPresent([String].self, forKey: .env) ?? []
        workingDir = try values.decodeIfPresent(String.self, forKey: .workingDir) ?? ""
        let ports = try values.decodeIfPresent([String: Nothing].self, forKey: .exposedPorts) ?? [:]
        exposedPorts = try ports.keys.flatMap { text throws(ImageError) in try ExposedPort.parse(text) }.sorted()
        volumes = try values.decodeIfPresent([String: Nothing].self, forKey: .volumes)?.keys.sorted() ?? []
        labels = try values.decodeIfPresent([String: String].self, forKey: .labels) ?? [:]
        stopSignal = try values.decodeIfPresent(String.self, forKey: .stopSignal).flatMap { $0.isEmpty ? nil : $0 }
        healthcheck = try values.decodeIfPresent(Healthcheck.self, forKey: .healthcheck)
        shell = try values.decodeIfPresent([String].self, forKey: .shell)
    }
}

/// A port that the image's process listens on.
public struct ExposedPort: Hashable, Sendable, Comparable, CustomStringConvertible {
    public var port: UInt16
    /// `tcp`, `udp` or `sctp`.
    public var transport: String

    public init(port: UInt16, transport: String) {
        self.port = port
        self.transport = transport
    }

    public var description: String { "\(port)/\(transport)" }

    public static func < (left: ExposedPort, right: ExposedPort) -> Bool {
        (left.port, left.transport) < (right.port, right.transport)
    }

    /// Parses PORT[-LAST][/TRANSPORT].
    static func parse(_ text: String) throws(ImageError) -> [ExposedPort] {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        let transport = parts.count == 2 ? parts[1].lowercased() : "tcp"
        let ends = (parts.first ?? "").split(separator: "-", omittingEmptySubsequences: false).map { UInt16($0) }
        guard (1...2).contains(parts.count), ["tcp", "udp", "sctp"].contains(transport), (1...2).contains(ends.count),
              let first = ends[0], let last = ends[ends.count - 1], first > 0, first <= last
        else {
            throw .invalidDocument(what: "port \(quoted(text))", reason: "expected PORT/tcp, PORT/udp or PORT/sctp")
        }
        return (first...last).map { ExposedPort(port: $0, transport: transport) }
    }
}

/// How to find out whether the container works: Docker's extension of the configuration.
public struct Healthcheck: Hashable, Sendable, Codable {
    /// Empty: inherited from nothing, no check. `["NONE"]`: no check. `["CMD", program, …]`, `["CMD-SHELL", command]`.
    public var test: [String]
    /// Nanoseconds between checks; 0 for the default (30 s). Never negative; so are the others.
    public var interval: Int64
    /// Nanoseconds that one check may take; 0 for the default (30 s).
    public var timeout: Int64
    /// Nanoseconds at the start in which failures do not count; 0 for none.
    public var startPeriod: Int64
    /// Failures in a row that make the container unhealthy; 0 for the default (3).
    public var retries: Int

    private enum CodingKeys: String, CodingKey {
        case test = "Test"
        case interval = "Interval"
        case timeout = "Timeout"
        case startPeriod = "StartPeriod"
        case retries = "Retries"
    }

    public init(test: [String], interval: Int64 = 0, timeout: Int64 = 0, startPeriod: Int64 = 0, retries: Int = 0) {
        self.test = test
        self.interval = max(interval, 0)
        self.timeout = max(timeout, 0)
        self.startPeriod = max(startPeriod, 0)
        self.retries = max(retries, 0)
    }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            test: try values.decodeIfPresent([String].self, forKey: .test) ?? [],
            interval: try values.decodeIfPresent(Int64.self, forKey: .interval) ?? 0,
            timeout: try values.decodeIfPresent(Int64.self, forKey: .timeout) ?? 0,
            startPeriod: try values.decodeIfPresent(Int64.self, forKey: .startPeriod) ?? 0,
            retries: try values.decodeIfPresent(Int.self, forKey: .retries) ?? 0)
    }
}
