/// A network of containers: a bridge of the host's, where it is used, and the addresses on it.
public struct Network: Codable, Sendable, Equatable {
    /// 64 hexadecimal digits.
    public var identifier: String
    public var name: String
    /// Nanoseconds since 1970.
    public var created: UInt64
    /// At most one of each version, at least one.
    public var subnets: [NetworkSubnet]
    /// Whether nothing but the host and the containers on it is reached, from neither side.
    public var isInternal: Bool
    /// Whether containers find each other by name.
    public var hasNames: Bool
    /// Bytes of a packet, 68...65535; nil: 1500.
    public var mtu: UInt16?
    public var labels: [String: String]

    /// The host's interface: at most 15 characters.
    public var bridge: String { Self.bridge(identifier) }
    /// What the interface says of itself (ifalias): by this it is known to be ours.
    var alias: String { Self.alias(name) }
    static func bridge(_ identifier: String) -> String { "svmm" + identifier.prefix(10) }
    static func alias(_ name: String) -> String { "svmm network \(name)" }
    public var isVersion6: Bool { subnets.contains { $0.subnet.isVersion6 } }

    public var version4: NetworkSubnet? { subnets.first { !$0.subnet.isVersion6 } }
    public var version6: NetworkSubnet? { subnets.first { $0.subnet.isVersion6 } }

    /// Whether every part is what `NetworkPlan` makes: a damaged row of a database may say anything.
    public var isWhole: Bool {
        identifier.utf8.count == 64 && identifier.utf8.allSatisfy { (48...57).contains($0) || (97...102).contains($0) }
            && NetworkName.isUsable(name) && !subnets.isEmpty && subnets.count { $0.subnet.isVersion6 } < 2
            && subnets.count { !$0.subnet.isVersion6 } < 2 && subnets.allSatisfy(\.isWhole) && mtu.map { $0 >= 68 } ?? true
    }
}

/// The addresses of a network, of one version.
public struct NetworkSubnet: Codable, Sendable, Equatable {
    public var subnet: Subnet
    /// The host's own.
    public var gateway: IPAddress
    /// The first and the last address that containers get by themselves; nil: all.
    public var first: IPAddress?
    public var last: IPAddress?

    public init(subnet: Subnet, gateway: IPAddress, first: IPAddress? = nil, last: IPAddress? = nil) {
        self.subnet = subnet
        self.gateway = gateway
        self.first = first
        self.last = last
    }

    var isWhole: Bool {
        Subnet.lengths(isVersion6: subnet.isVersion6).contains(subnet.prefixLength) && isHost(gateway)
            && (first.map(isHost) ?? true) && (last.map(isHost) ?? true) && (first ?? subnet.firstHost) <= (last ?? subnet.lastHost)
    }

    /// Whether an address is one that a host on this subnet may have.
    public func isHost(_ address: IPAddress) -> Bool {
        subnet.contains(address) && address >= subnet.firstHost && address <= subnet.lastHost
    }
}

/// Names of networks.
public enum NetworkName {
    /// Where containers are that name no other; made when it is first used.
    public static let standard = "default"
    /// An internal one, made when it is first used: the container and the host.
    public static let hostOnly = "host-only"
    /// Words for `--network` that mean something else.
    static let reserved: Set<String> = ["none", "user", "host", "private", "bridge", "pasta", "slirp4netns", "container", "ns", "cni"]

    /// Whether the name is a letter or digit, followed by letters, digits, `_`, `.` and `-`: at most 64 in all.
    public static func isUsable(_ name: String) -> Bool {
        func isPlain(_ byte: UInt8) -> Bool { (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte) }
        guard let first = name.utf8.first, isPlain(first), name.utf8.count <= 64 else { return false }
        return name.utf8.allSatisfy { isPlain($0) || $0 == 95 || $0 == 46 || $0 == 45 }
    }

    static func check(_ name: String) throws(NetworkError) {
        guard isUsable(name) else {
            throw NetworkError("network name '\(name)': expected 1 to 64 letters, digits, '_', '.' and '-', the first a letter or digit")
        }
        guard !reserved.contains(name) else {
            throw NetworkError("network name '\(name)': a word of --network with a meaning of its own; choose another name")
        }
    }
}
