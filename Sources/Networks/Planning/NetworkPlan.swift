/// What a user asks for with `svmm network create`. What is nil or empty is chosen.
public struct NetworkRequest: Sendable, Equatable {
    public var name: String
    public var subnets: [Subnet] = []
    /// In the order of `subnets`, or of their versions.
    public var gateways: [IPAddress] = []
    public var ranges: [AddressRange] = []
    /// Whether the network has IPv6 addresses, also where no subnet of them is given.
    public var isVersion6 = false
    public var isInternal = false
    public var hasNames = true
    /// 68...65535
    public var mtu: UInt16?
    public var labels: [String: String] = [:]

    public init(name: String) {
        self.name = name
    }
}

/// Addresses from the first to the last one.
public struct AddressRange: Sendable, Equatable {
    public var first: IPAddress
    public var last: IPAddress

    /// From `ADDRESS-ADDRESS` or `ADDRESS/LENGTH`.
    public init?(_ text: String) {
        if let subnet = Subnet(text) {
            (first, last) = (subnet.firstHost, subnet.lastHost)
            return
        }
        let ends = text.split(separator: "-", omittingEmptySubsequences: false).map { IPAddress(String($0)) }
        guard ends.count == 2, let first = ends[0], let last = ends[1], first.isVersion6 == last.isVersion6, first <= last else { return nil }
        (self.first, self.last) = (first, last)
    }
}

/// Makes a network of what is asked for and of what is taken already. Pure.
public struct NetworkPlan: Sendable {
    /// Of other networks.
    public var taken: [Subnet]
    /// To which the host has routes, its own addresses among them.
    public var routes: [Subnet]
    /// 37 random bytes: an identifier, and five for a prefix.
    public var random: [UInt8]

    public init(taken: [Subnet], routes: [Subnet], random: [UInt8]) {
        self.taken = taken
        self.routes = routes
        self.random = random
    }

    public static let randomCount = 37

    /// - Parameter time: nanoseconds since 1970.
    public func network(_ request: NetworkRequest, time: UInt64) throws(NetworkError) -> Network {
        try NetworkName.check(request.name)
        var parts: [NetworkSubnet] = []
        for subnet in try subnets(request) { parts.append(try part(subnet, request)) }
        for gateway in request.gateways where !parts.contains(where: { $0.gateway == gateway }) {
            throw NetworkError("--gateway \(gateway): in none of the network's subnets \(Self.list(parts)), expected an address of one, one for each")
        }
        for range in request.ranges where !parts.contains(where: { $0.first == range.first }) {
            throw NetworkError("--ip-range \(range.first)-\(range.last): in none of the network's subnets \(Self.list(parts)), expected one in each")
        }
        if parts.contains(where: { $0.subnet.isVersion6 }), let mtu = request.mtu, mtu < 1280 {
            throw NetworkError("-o mtu=\(mtu): expected 1280 at least, the smallest that IPv6 takes")
        }
        let digits = Array("0123456789abcdef".utf8)
        let identifier = String(decoding: random.prefix(32).flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
        return Network(identifier: identifier, name: request.name, created: time, subnets: parts, isInternal: request.isInternal,
                       hasNames: request.hasNames, mtu: request.mtu, labels: request.labels)
    }

    private static func list(_ parts: [NetworkSubnet]) -> String { parts.map(\.subnet.description).joined(separator: ", ") }

    private func subnets(_ request: NetworkRequest) throws(NetworkError) -> [Subnet] {
        var result: [Subnet] = []
        for subnet in request.subnets {
            let lengths = Subnet.lengths(isVersion6: subnet.isVersion6)
            guard lengths.contains(subnet.prefixLength) else {
                throw NetworkError("--subnet \(subnet): expected a prefix of \(lengths.lowerBound) to \(lengths.upperBound) bits")
            }
            guard !result.contains(where: { $0.isVersion6 == subnet.isVersion6 }) else {
                throw NetworkError("--subnet \(subnet): a second subnet of IPv\(subnet.isVersion6 ? 6 : 4), expected one of each version at most")
            }
            guard !Self.isSpecial(subnet) else {
                throw NetworkError("--subnet \(subnet): addresses for another purpose, expected such as 10.1.2.0/24 or fd00:1:2:3::/64")
            }
            if let other = taken.first(where: { $0.overlaps(subnet) }) {
                throw NetworkError("--subnet \(subnet): overlaps with \(other) of another network, expected addresses that are free; see svmm network inspect")
            }
            if let route = routes.first(where: { $0.overlaps(subnet) }) {
                throw NetworkError("--subnet \(subnet): overlaps with \(route), which the host uses or has a route to, expected addresses that are free")
            }
            result.append(subnet)
        }
        if !result.contains(where: { !$0.isVersion6 }), request.subnets.isEmpty { result.insert(try freeVersion4(), at: 0) }
        if request.isVersion6, !result.contains(where: \.isVersion6) { result.append(try freeVersion6()) }
        return result
    }

    /// Loopback, link-local, multicast and reserved addresses (RFC 6890, RFC 4291).
    private static func isSpecial(_ subnet: Subnet) -> Bool {
        ["0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3", "::/16", "fe80::/10", "ff00::/8"]
            .compactMap { Subnet($0) }.contains { $0.overlaps(subnet) }
    }

    /// podman's: the first /24 of 10.89.0.0/16 and what follows it up to 10.255.0.0/16 with which nothing collides.
    private func freeVersion4() throws(NetworkError) -> Subnet {
        let used = (taken + routes).filter { !$0.isVersion6 }
        for second in 89...255 as ClosedRange<UInt8> {
            for third in 0...255 as ClosedRange<UInt8> {
                guard let base = IPAddress(bytes: [10, second, third, 0]), let subnet = Subnet(base, prefixLength: 24) else { continue }
                if !used.contains(where: { $0.overlaps(subnet) }) { return subnet }
            }
        }
        throw NetworkError("no free subnet in 10.89.0.0 to 10.255.255.0: routes and networks take all of them; choose one with --subnet")
    }

    /// A unique local prefix of the network's own: RFC 4193, section 3.
    private func freeVersion6() throws(NetworkError) -> Subnet {
        guard let base = IPAddress(bytes: [0xFD] + random.suffix(5) + [UInt8](repeating: 0, count: 10)),
              let subnet = Subnet(base, prefixLength: 64), !(taken + routes).contains(where: { $0.overlaps(subnet) }) else {
            throw NetworkError("a random IPv6 subnet collides with a route or network; try again, or choose one with --subnet")
        }
        return subnet
    }

    private func part(_ subnet: Subnet, _ request: NetworkRequest) throws(NetworkError) -> NetworkSubnet {
        var part = NetworkSubnet(subnet: subnet, gateway: subnet.firstHost)
        if let gateway = request.gateways.first(where: { subnet.contains($0) }) {
            guard part.isHost(gateway) else {
                throw NetworkError("--gateway \(gateway): the first or last address of \(subnet), expected one that hosts may have")
            }
            part.gateway = gateway
        }
        if let range = request.ranges.first(where: { subnet.contains($0.first) }) {
            guard part.isHost(range.first), part.isHost(range.last) else {
                throw NetworkError("--ip-range \(range.first)-\(range.last): expected addresses that hosts in \(subnet) may have")
            }
            (part.first, part.last) = (range.first, range.last)
        }
        return part
    }
}
