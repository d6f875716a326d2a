import Wire

/// A process of the container: the main one, or one that joins it (exec).
public struct ProcessConfiguration: Equatable, Sendable {
    public var arguments: [String]
    /// NAME=VALUE. The agent adds HOME of the user, and PATH, where they are missing.
    public var environment: [String]
    /// Absolute, in the container; made if it is missing.
    public var workingDirectory: String
    /// As in an image's configuration: empty (root), user, uid, user:group, uid:gid. Names are looked up in the container's /etc/passwd and
    /// /etc/group.
    public var user: String
    /// Names or numbers.
    public var additionalGroups: [String]
    /// Capabilities by their bit numbers (linux/capability.h): the bounding set, and what root gets. Another user gets none but the ambient.
    public var capabilities: UInt64
    public var ambientCapabilities: UInt64
    public var hasNoNewPrivileges: Bool
    public var limits: [ResourceLimit]
    public var umask: UInt16
    /// Added to what the kernel's OOM killer counts, -1000...1000.
    public var outOfMemoryScore: Int16
    /// nil: pipes instead of a terminal.
    public var terminal: TerminalSize?
    public var streams: Streams
    /// Whether an init process stands between the agent and this one, to reap orphans and pass on signals (main process only).
    public var hasInit: Bool

    public init(arguments: [String], environment: [String] = [], workingDirectory: String = "/", user: String = "") {
        self.arguments = arguments
        self.environment = environment
        self.workingDirectory = workingDirectory
        self.user = user
        additionalGroups = []
        capabilities = 0
        ambientCapabilities = 0
        hasNoNewPrivileges = false
        limits = []
        umask = 0o022
        outOfMemoryScore = 0
        terminal = nil
        streams = Streams()
        hasInit = false
    }

    public struct ResourceLimit: Equatable, Sendable {
        /// RLIMIT_* of asm-generic/resource.h.
        public var resource: UInt8
        public var soft: UInt64
        public var hard: UInt64

        public init(resource: UInt8, soft: UInt64, hard: UInt64) {
            self.resource = resource
            self.soft = soft
            self.hard = hard
        }
    }

    public struct TerminalSize: Equatable, Sendable {
        public var columns: UInt16
        public var rows: UInt16

        public init(columns: UInt16, rows: UInt16) {
            self.columns = columns
            self.rows = rows
        }
    }

    /// Tokens of the byte streams that the agent connects (`AgentChannel.streamPort`), chosen by the host, each used once.
    ///
    /// With a terminal only `input` counts: its stream carries both ways. Without one, `input` carries standard input to the guest and
    /// standard output back, `errors` standard error back. 0: no such stream: the process reads end of file there, and what it writes is
    /// dropped.
    public struct Streams: Equatable, Sendable {
        public var input: UInt64
        public var errors: UInt64
        /// Whether anything is ever read from `input`; otherwise the process finds /dev/null there.
        public var hasInput: Bool

        public init(input: UInt64 = 0, errors: UInt64 = 0, hasInput: Bool = false) {
            self.input = input
            self.errors = errors
            self.hasInput = hasInput
        }
    }
}

extension ProcessConfiguration {
    public func encode(_ encoder: inout WireEncoder) {
        encoder.encode(arguments) { $0.encode($1) }
        encoder.encode(environment) { $0.encode($1) }
        encoder.encode(workingDirectory)
        encoder.encode(user)
        encoder.encode(additionalGroups) { $0.encode($1) }
        encoder.encode(capabilities)
        encoder.encode(ambientCapabilities)
        encoder.encode(hasNoNewPrivileges)
        encoder.encode(limits) { encoder, limit in
            encoder.encode(limit.resource)
            encoder.encode(limit.soft)
            encoder.encode(limit.hard)
        }
        encoder.encode(umask)
        encoder.encode(outOfMemoryScore)
        encoder.encode(terminal) { encoder, size in
            encoder.encode(size.columns)
            encoder.encode(size.rows)
        }
        encoder.encode(streams.input)
        encoder.encode(streams.errors)
        encoder.encode(streams.hasInput)
        encoder.encode(hasInit)
    }

    public init(_ decoder: inout WireDecoder) throws(WireError) {
        arguments = try decoder.decodeArguments()
        environment = try decoder.decodeArguments()
        workingDirectory = try decoder.decodePath()
        user = try decoder.decodePath()
        additionalGroups = try decoder.decodePaths()
        capabilities = try decoder.decode(UInt64.self)
        ambientCapabilities = try decoder.decode(UInt64.self)
        hasNoNewPrivileges = try decoder.decode(Bool.self)
        limits = try decoder.decodeArray(limit: 64) { (decoder) throws(WireError) in
            ResourceLimit(resource: try decoder.decode(UInt8.self), soft: try decoder.decode(UInt64.self),
                          hard: try decoder.decode(UInt64.self))
        }
        umask = try decoder.decode(UInt16.self)
        outOfMemoryScore = try decoder.decode(Int16.self)
        terminal = try decoder.decodeOptional { (decoder) throws(WireError) in
            TerminalSize(columns: try decoder.decode(UInt16.self), rows: try decoder.decode(UInt16.self))
        }
        streams = Streams(input: try decoder.decode(UInt64.self), errors: try decoder.decode(UInt64.self),
                          hasInput: try decoder.decode(Bool.self))
        hasInit = try decoder.decode(Bool.self)
    }
}
