import LinuxSystem
import Networks

/// What files of a container say about its networks, which is known when it starts.
struct NetworkSurroundings: Sendable {
    /// On networks of svmm's own, and of others; the user network's is not among them.
    var interfaces: [AttachedNetworks.Interface] = []
    /// What the host knows of name servers.
    var resolver = ResolverConfiguration.none
    /// Where the container asks for names.
    var servers: [String] = []
    /// The host, for its names in the container; nil: it is not reached.
    var host: String?
    /// The host, for `host-gateway`; nil: as above.
    var gateway: String?

    /// Of the user network.
    ///
    /// - Parameters:
    ///   - hosts: lines of /etc/hosts that are asked for.
    ///   - outbound: the host's address for the rest of the world.
    init(user hosts: [HostEntry], resolver: ResolverConfiguration, outbound: String?) {
        self.resolver = resolver
        // What is asked of the user network's own resolver reaches the host's, also one on its loopback interface.
        servers = resolver.servers.isEmpty ? [UserNetworkPlan.resolver] : resolver.servers
        // At the gateway are the host's servers on its loopback interface, which only who asks for it reaches.
        let reachesLoopback = hosts.contains { $0.address == nil }
        (host, gateway) = (reachesLoopback ? UserNetworkPlan.gateway : outbound, UserNetworkPlan.gateway)
    }

    /// Of networks that are attached to.
    ///
    /// - Parameter resolver: servers that are reached from there.
    init(_ interfaces: [AttachedNetworks.Interface], resolver: ResolverConfiguration) {
        self.interfaces = interfaces
        self.resolver = resolver
        let own = interfaces.flatMap(\.nameServers).map(\.description)
        // More than three are asked by nobody (resolv.conf(5)).
        servers = own.isEmpty ? (interfaces.contains(where: \.reachesOutside) ? resolver.servers : []) : Array(own.prefix(3))
        host = interfaces.lazy.compactMap(\.host).first?.description
        gateway = host ?? interfaces.lazy.flatMap(\.gateways).first?.description
    }

    private init() {}

    static let none = NetworkSurroundings()

    /// As things are now.
    init(_ configuration: ContainerConfiguration, _ attached: AttachedNetworks) {
        switch configuration.network {
        case .none: self = .none
        case .user: self.init(user: configuration.hosts, resolver: .host(), outbound: outboundAddress().flatMap { internetAddressText($0) })
        case .attached: self.init(attached.interfaces, resolver: .reachable())
        }
    }
}
