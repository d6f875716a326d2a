/// A network device.
public struct NetworkDescription: Equatable, Sendable {
    public var backend: Backend

    public enum Backend: Equatable, Sendable {
        /// A TAP interface of the host, made if there is none with this name; nil: a new one.
        case tap(name: String?)
        /// A network of the user's own, without any rights on the host: passt(1).
        case user(UserNetworkDescription)
        /// A TAP or a connected socket that the process was started with.
        case descriptor(Int32)
    }

    /// Six bytes; nil: from the machine's name, random where it has none.
    public var mac: [UInt8]?
    /// What the guest is told, bytes behind the Ethernet header; nil: the backend's own.
    public var mtu: UInt16?
    /// Pairs of queues, `queueCounts`; only a TAP has more than one.
    public var queueCount: Int
    /// Whether the host's kernel serves the queues of a TAP.
    public var vhost: Vhost
    public var receiveLimit: RateLimit
    public var transmitLimit: RateLimit
    /// A file of all frames.
    public var capturePath: String?

    public enum Vhost: UInt8, Sendable {
        /// Where it can.
        case automatic
        case on, off
    }

    /// In a second; nil is no limit.
    public struct RateLimit: Equatable, Sendable {
        public var bits: UInt64?
        public var packets: UInt64?

        public init(bits: UInt64? = nil, packets: UInt64? = nil) {
            self.bits = bits
            self.packets = packets
        }
    }

    public init(
        _ backend: Backend, mac: [UInt8]? = nil, mtu: UInt16? = nil, queueCount: Int = 1, vhost: Vhost = .automatic,
        receiveLimit: RateLimit = RateLimit(), transmitLimit: RateLimit = RateLimit(), capturePath: String? = nil
    ) {
        self.backend = backend
        self.mac = mac
        self.mtu = mtu
        self.queueCount = queueCount
        self.vhost = vhost
        self.receiveLimit = receiveLimit
        self.transmitLimit = transmitLimit
        self.capturePath = capturePath
    }

    public static let queueCounts = 1...8
    /// The smallest is IPv4's (RFC 791) and virtio's, the largest what a TAP takes.
    public static let mtus: ClosedRange<UInt16> = 68...65521
    public static let macLength = 6
    /// Bytes of an interface's name.
    public static let interfaceNameLengths = 1...15

    /// The address of a machine's interface when none is given: the same whenever the machine is started, locally administered,
    /// of one station.
    ///
    /// - Parameter index: among the machine's interfaces, from 0.
    public static func mac(machine: String, index: Int) -> [UInt8] {
        // FNV-1a with 64 bits, and the final mix of MurmurHash3, which spreads every bit over all bytes.
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in Array("svmm\0\(machine)\0\(index)".utf8) { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        hash = (hash ^ hash >> 33) &* 0xFF51_AFD7_ED55_8CCD
        hash = (hash ^ hash >> 33) &* 0xC4CE_B9FE_1A85_EC53
        hash ^= hash >> 33
        return stationAddress((0..<macLength).map { UInt8(truncatingIfNeeded: hash >> UInt64(8 * $0)) })
    }

    /// Six bytes as a locally administered address of one station.
    public static func stationAddress(_ bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        if let first = bytes.first { bytes[0] = first & 0xFC | 0x02 }
        return bytes
    }
}

/// A user network.
public struct UserNetworkDescription: Equatable, Sendable {
    public var published: [PublishedPort]
    /// Whether the guest reaches servers on the host's loopback interface, at its gateway's address.
    public var reachesHost: Bool
    /// The network's addresses, IPv4 alone; nil: the host's own, by DHCP.
    public var addresses: Addresses?

    /// In dot-decimal notation.
    public struct Addresses: Equatable, Sendable {
        public var guest: String
        public var prefixLength: UInt8
        public var gateway: String
        /// Where the host's first name server answers, also one on its loopback interface; nil: nowhere.
        public var resolver: String?

        public init(guest: String, prefixLength: UInt8, gateway: String, resolver: String? = nil) {
            self.guest = guest
            self.prefixLength = prefixLength
            self.gateway = gateway
            self.resolver = resolver
        }
    }

    public init(published: [PublishedPort] = [], reachesHost: Bool = false, addresses: Addresses? = nil) {
        self.published = published
        self.reachesHost = reachesHost
        self.addresses = addresses
    }
}

/// A port of the host that leads into the guest.
public struct PublishedPort: Equatable, Sendable {
    public enum Transport: UInt8, Sendable {
        case tcp, udp
    }

    /// Of the host; nil: all.
    public var address: String?
    public var host: UInt16
    public var guest: UInt16
    public var transport: Transport

    public init(address: String? = nil, host: UInt16, guest: UInt16, transport: Transport = .tcp) {
        self.address = address
        self.host = host
        self.guest = guest
        self.transport = transport
    }
}
