/// A raw disk: a file or a block device.
public struct DiskDescription: Equatable, Sendable {
    public var path: String
    /// There is none yet: a device of no bytes, which `ControlRequest.attachDisk` gives one; `path` is empty then.
    public var isPlaceholder: Bool
    public var readOnly: Bool
    /// What the guest reads as the disk's serial number: at most 20 bytes of printable ASCII.
    public var serial: String?
    /// Bytes, a multiple of 512: a file that is missing or empty is made this long.
    public var creationSize: UInt64?
    public var cache: Cache
    public var engine: Engine
    /// In `queueCounts`; nil is one for each vCPU, and not more than that.
    public var queueCount: Int?
    public var requestLimit: RateLimit?
    public var byteLimit: RateLimit?

    public static let maximumSerialLength = 20
    public static let queueCounts = 1...16

    /// When what the guest writes is durable, and whether it goes through the host's page cache.
    public enum Cache: UInt8, Sendable, CaseIterable {
        case writeback, writethrough, none
    }

    /// Who does the I/O.
    public enum Engine: UInt8, Sendable, CaseIterable {
        case automatic, ioUring, threads
    }

    /// So many in a second, at least 1, and so many at once after a pause; a tenth of a second's worth where `burst` is nil.
    public struct RateLimit: Equatable, Sendable {
        public var perSecond: UInt64
        public var burst: UInt64?

        public init(perSecond: UInt64, burst: UInt64? = nil) {
            self.perSecond = perSecond
            self.burst = burst
        }
    }

    public init(path: String, isPlaceholder: Bool = false, readOnly: Bool = false, serial: String? = nil, creationSize: UInt64? = nil,
                cache: Cache = .writeback, engine: Engine = .automatic, queueCount: Int? = nil,
                requestLimit: RateLimit? = nil, byteLimit: RateLimit? = nil) {
        self.path = path
        self.isPlaceholder = isPlaceholder
        self.readOnly = readOnly
        self.serial = serial
        self.creationSize = creationSize
        self.cache = cache
        self.engine = engine
        self.queueCount = queueCount
        self.requestLimit = requestLimit
        self.byteLimit = byteLimit
    }
}
