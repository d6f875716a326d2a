import LinuxSystem
@testable import Networks
import TestSupport
import Testing

/// Whether the tools of `SystemNetworkHost` are here, and may be used in a network namespace.
private let canMakeNetworks = canMakeTaps && ["ip", "tc", "nft"].allSatisfy { (try? HostProgram($0)) != nil }

/// Each in a network namespace of its own, of which the host's interfaces, rules and settings are no part.
@Suite("Networks on a host", .serialized, .timeLimit(.minutes(2)),
       .enabled(if: canMakeNetworks, "needs root, /dev/net/tun, iproute2 and nftables"))
struct HostTests {
    private static func network(_ name: String, _ subnets: [String], isInternal: Bool = false, host: SystemNetworkHost) throws -> Network {
        var request = NetworkRequest(name: name)
        (request.subnets, request.isInternal, request.mtu) = (subnets.compactMap { Subnet($0) }, isInternal, 1400)
        return try NetworkPlan(taken: [], routes: try host.routes(), random: try randomBytes(NetworkPlan.randomCount)).network(request, time: 0)
    }

    @Test("a network's bridge is made once, completed, marked as svmm's, and removed")
    func bridge() throws {
        try inNetworkNamespace {
            let host = SystemNetworkHost()
            let network = try Self.network("lab", ["10.89.0.0/24", "fd00:1::/64"], host: host)
            var notes: [String] = []
            for _ in 0..<2 { try host.realize(network) { notes.append($0) } }
            #expect(try host.link(network.bridge) == HostLink(isBridge: true, alias: "svmm network lab"))
            #expect(Set(try host.routes().map(\.description)).isSuperset(of: ["10.89.0.0/24"]))
            // The whole host forwards from then on, which is said once.
            #expect(notes.count == 2)
            #expect(host.setting("ipv4/ip_forward") == "1" && host.setting("ipv4/conf/\(network.bridge)/route_localnet") == "1")
            let tap = try host.attach(to: network)
            #expect(try NetworkInterface(tap.name).mtu() == 1400)
            #expect(throws: NetworkError.self) { _ = try Self.network("other", ["10.89.0.128/25"], host: host) }
            try host.remove(network)
            try host.remove(network)
            #expect(try host.link(network.bridge) == nil)
        }
    }

    @Test("a container's interface is gone with its file")
    func tap() throws {
        try inNetworkNamespace {
            let host = SystemNetworkHost()
            let network = try Self.network("lab", ["10.89.0.0/24"], isInternal: true, host: host)
            try host.realize(network) { _ in }
            var tap: HostTap? = try host.attach(to: network)
            let name = try #require(tap?.name)
            #expect(NetworkInterface.exists(name))
            tap = nil
            #expect(!NetworkInterface.exists(name))
            // Of an internal network nothing is forwarded, and nothing set for it.
            #expect(host.setting("ipv4/ip_forward") == "0")
        }
    }

    @Test("nft takes the rules, again and again, and leaves other tables alone")
    func rules() throws {
        try inNetworkNamespace {
            let host = SystemNetworkHost()
            let open = try Self.network("open", ["10.89.0.0/24", "fd00:1::/64"], host: host)
            let closed = try Self.network("closed", ["10.89.1.0/24"], isInternal: true, host: host)
            try host.nft("table inet other {\n}\n", for: "a table of somebody else's")
            let targets = ["10.89.0.2", "fd00:1::2"].compactMap { IPAddress($0) }
            let publications = [nil, "0.0.0.0", "::", "192.0.2.1", "2001:db8::1"].flatMap { address in
                [true, false].map { isStream in
                    Publication(address: address.flatMap { IPAddress($0) }, port: 8080, isStream: isStream, targets: targets, targetPort: 80)
                }
            }
            let script = Ruleset(table: "svmm", parts: [.init(network: open, publications: publications),
                                                        .init(network: closed, publications: publications)]).script
            func tables() throws -> String { try HostProgram("nft").check(["list", "tables"], for: "tables") }
            for _ in 0..<2 { try host.nft(script, for: "rules") }
            #expect(try tables().contains("table inet svmm\n"))
            // What is wrong changes nothing.
            #expect(throws: NetworkError.self) { try host.nft(script + "nonsense\n", for: "rules") }
            for _ in 0..<2 { try host.nft(Ruleset(table: "svmm", parts: []).script, for: "rules") }
            #expect(try tables() == "table inet other\n")
        }
    }
}
