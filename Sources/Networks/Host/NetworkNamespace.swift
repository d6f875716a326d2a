import LinuxSystem

/// A network namespace that somebody else has made for a container, such as a CNI plugin.
///
/// A guest takes the place of each interface with addresses in it: a TAP beside the interface has all frames of the one redirected to the
/// other (tc-mirred(8)), and the guest has the interface's addresses.
public struct NetworkNamespace: Sendable {
    public let path: String

    /// - Parameter path: of the namespace's file, such as /run/netns/NAME.
    public init(path: String) {
        self.path = path
    }

    /// An interface whose place a guest takes.
    public struct Interface: Sendable {
        public var name: String
        /// Six bytes.
        public var mac: [UInt8]
        public var mtu: UInt16
        public var addresses: [InterfaceAddress]
        public var gateways: [IPAddress]
        public var tap: HostTap
    }

    /// Puts TAPs beside all interfaces that have addresses. What a former one has left is replaced.
    public func attach() throws(NetworkError) -> [Interface] {
        try inside { () throws(NetworkError) in
            let found = try Self.list()
            guard !found.isEmpty else {
                throw NetworkError("\(self.path): no Ethernet interface with an address in this network namespace, expected one that the container is to have")
            }
            var result: [Interface] = []
            for interface in found {
                let host = SystemNetworkHost()
                let tap = try host.makeTap()
                try? host.set("ipv6/conf/\(tap.name)/disable_ipv6", "1")
                try host.ip(["link set dev \(tap.name) mtu \(interface.mtu)", "link set dev \(tap.name) up"], for: self.path)
                Self.unredirect(interface.name)
                try HostProgram("tc").check(["-batch", "-"], input: Self.redirection(interface.name, tap.name), for: self.path)
                result.append(Interface(name: interface.name, mac: interface.mac, mtu: interface.mtu, addresses: interface.addresses,
                                        gateways: interface.gateways, tap: tap))
            }
            return result
        }
    }

    /// Gives the interfaces back; nothing happens where the namespace is gone.
    public func detach() {
        guard (try? fileStatus(at: path)) != nil else { return }
        try? inside { () throws(NetworkError) in
            for interface in try Self.list() { Self.unredirect(interface.name) }
        }
    }

    private func inside<Value: Sendable>(_ body: @escaping @Sendable () throws(NetworkError) -> Value) throws(NetworkError) -> Value {
        let result: Result<Value, NetworkError>
        do throws(Errno) {
            result = try inNetworkNamespace(path) { Result { () throws(NetworkError) in try body() } }
        } catch {
            throw NetworkError("\(path): \(error), expected a network namespace, such as ip netns makes below /run/netns")
        }
        return try result.get()
    }

    private static func list() throws(NetworkError) -> [NamespaceListing.Interface] {
        let program = try HostProgram("ip")
        func ask(_ words: String...) throws(NetworkError) -> String { try program.check(words, for: "ip \(words.joined(separator: " "))") }
        return NamespaceListing.interfaces(
            links: try ask("-o", "link", "show"), addresses: try ask("-o", "addr", "show"),
            routes: try ask("-o", "route", "show", "default") + ask("-6", "-o", "route", "show", "default"))
            .filter { !$0.name.hasPrefix("svmmt") }
    }

    /// Lines for tc -batch.
    static func redirection(_ interface: String, _ tap: String) -> String {
        [(interface, tap), (tap, interface)].map { from, to in
            """
            qdisc add dev \(from) ingress
            filter add dev \(from) parent ffff: protocol all u32 match u8 0 0 action mirred egress redirect dev \(to)

            """
        }.joined()
    }

    private static func unredirect(_ interface: String) {
        // There may be none.
        _ = try? HostProgram("tc").run(["qdisc", "del", "dev", interface, "ingress"])
    }
}
