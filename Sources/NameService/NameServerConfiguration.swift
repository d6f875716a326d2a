import LinuxSystem

/// What a name server serves, and how.
public struct NameServerConfiguration: Sendable {
    /// Where it listens, by UDP and TCP.
    public var addresses: [InternetAddress]
    public var port: UInt16 = 53
    /// The file of names: see `NameTable.init(parsing:)`. Whoever changes it puts another file in its place (rename(2)).
    public var names: String
    /// The search domain: names are known with it and without.
    public var domain: DomainName
    /// Whether names that are not of this network are asked for elsewhere.
    public var forwards = true
    /// Which resolvers the host uses: see resolv.conf(5).
    public var resolverFile = "/etc/resolv.conf"
    /// The resolvers' port.
    public var resolverPort: UInt16 = 53
    public var limits = Limits()
    public var times = Times()

    /// - Parameter domain: nil: `standardDomain`.
    public init(addresses: [InternetAddress], names: String, domain: DomainName? = nil) {
        (self.addresses, self.names) = (addresses, names)
        self.domain = domain ?? Self.standardDomain
    }

    /// `svmm.internal`.
    public static let standardDomain = DomainName(labels: ["svmm", "internal"].map { Array($0.utf8)[...] })
        ?? DomainName(checked: [0], labelCount: 0)

    /// How much there is at a time. Each question that is forwarded, and each connection, takes a descriptor.
    public struct Limits: Sendable {
        /// Questions at resolvers. One more takes the place of the oldest of the client with the most.
        public var queries = 256
        /// Of one client; all who have no name in the network count as one, so that an address made up is worth nothing.
        public var queriesPerClient = 64
        /// Connections of clients. One more takes the place of the one that has been idle the longest.
        public var connections = 64
        public var connectionsPerClient = 8
        /// Questions of one connection that wait for their answers: more are not read.
        public var queriesPerConnection = 4

        public init() {}
    }

    /// In nanoseconds.
    public struct Times: Sendable {
        /// Until the next resolver is asked.
        public var resolver: UInt64 = 2_000_000_000
        /// Until no other is asked.
        public var query: UInt64 = 9_000_000_000
        /// Until a connection is closed on which nothing happens.
        public var idle: UInt64 = 10_000_000_000

        public init() {}
    }
}

/// On whose account something is done.
enum Client: Hashable {
    case named(InternetAddress)
    /// All others.
    case unnamed
}
