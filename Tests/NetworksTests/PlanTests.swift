@testable import Networks
import Testing

@Suite("What networks are made of")
struct PlanTests {
    private func plan(taken: [String] = [], routes: [String] = [], random: UInt8 = 7) -> NetworkPlan {
        NetworkPlan(taken: taken.compactMap { Subnet($0) }, routes: routes.compactMap { Subnet($0) },
                    random: [UInt8](repeating: random, count: NetworkPlan.randomCount))
    }

    private func request(_ name: String = "net", _ change: (inout NetworkRequest) -> Void = { _ in }) -> NetworkRequest {
        var request = NetworkRequest(name: name)
        change(&request)
        return request
    }

    @Test("subnets are read as ip-address(8) writes them", arguments: [
        ("10.1.2.0/24", "10.1.2.0/24"), ("10.1.2.3/8", "10.0.0.0/8"), ("fd00::1/64", "fd00::/64"), ("::/0", "::/0"), ("1.2.3.4/32", "1.2.3.4/32"),
        ("10.0.0.0", nil), ("10.0.0.0/33", nil), ("10.0.0.0/-1", nil), ("10.0.0.0/+8", nil), ("010.0.0.0/8", nil), ("fd00::/129", nil), ("/8", nil),
        ("10.0.0.0/8/8", nil), ("", nil),
    ] as [(String, String?)])
    func subnet(text: String, meant: String?) {
        #expect(Subnet(text)?.description == meant)
    }

    @Test("subnets overlap when one is in the other", arguments: [
        ("10.0.0.0/8", "10.89.0.0/24", true), ("10.89.0.0/24", "10.89.1.0/24", false), ("fd00::/64", "fd00::/48", true), ("::/0", "10.0.0.0/8", false),
    ])
    func overlap(one: String, other: String, isOverlap: Bool) throws {
        let (one, other) = (try #require(Subnet(one)), try #require(Subnet(other)))
        #expect(one.overlaps(other) == isOverlap)
        #expect(other.overlaps(one) == isOverlap)
    }

    @Test("without a wish a network gets the first /24 from 10.89.0.0 on that nobody has")
    func freeSubnet() throws {
        let network = try plan(taken: ["10.89.0.0/24"], routes: ["10.89.1.128/25", "192.168.0.0/16"]).network(request(), time: 5)
        #expect(network.subnets == [NetworkSubnet(subnet: try #require(Subnet("10.89.2.0/24")), gateway: try #require(IPAddress("10.89.2.1")))])
        #expect(network.identifier == String(repeating: "07", count: 32))
        #expect(network.bridge == "svmm0707070707")
        #expect(network.isWhole && network.hasNames && !network.isInternal && network.created == 5)
    }

    @Test("a network with IPv6 gets a random unique local prefix beside its IPv4 subnet")
    func version6() throws {
        let network = try plan().network(request { $0.isVersion6 = true }, time: 0)
        #expect(network.subnets.map(\.subnet.description) == ["10.89.0.0/24", "fd07:707:707::/64"])
        #expect(network.version6?.gateway.description == "fd07:707:707::1")
        let alone = try plan().network(request { $0.subnets = [Subnet("fd00:1::/64")].compactMap { $0 } }, time: 0)
        #expect(alone.version4 == nil)
    }

    @Test("where everything is taken, that is said")
    func nothingFree() {
        #expect(throws: NetworkError.self) { try plan(routes: ["10.0.0.0/8"]).network(request(), time: 0) }
    }

    @Test("what is wrong with a wish is named", arguments: [
        ("10.89.0.0/31", nil, nil, "30 bits"), ("10.5.0.0/16", nil, nil, "of another network"), ("10.6.0.0/24", nil, nil, "the host uses"),
        ("127.1.0.0/16", nil, nil, "another purpose"), ("fe80::/64", nil, nil, "another purpose"), ("10.7.0.0/24", "10.8.0.1", nil, "--gateway 10.8.0.1"),
        ("10.7.0.0/24", "10.7.0.255", nil, "first or last"), ("10.7.0.0/24", "10.7.0.0", nil, "first or last"),
        ("10.7.0.0/24", nil, "10.8.0.1-10.8.0.9", "--ip-range"), ("10.7.0.0/24", nil, "10.7.0.9-10.7.1.9", "--ip-range"),
    ] as [(String, String?, String?, String)])
    func wrongWishes(subnet: String, gateway: String?, range: String?, part: String) throws {
        let asked = request {
            $0.subnets = [Subnet(subnet)].compactMap { $0 }
            $0.gateways = [gateway.flatMap { IPAddress($0) }].compactMap { $0 }
            $0.ranges = [range.flatMap { AddressRange($0) }].compactMap { $0 }
        }
        let error = #expect(throws: NetworkError.self) {
            try plan(taken: ["10.5.1.0/24"], routes: ["10.6.0.0/25"]).network(asked, time: 0)
        }
        #expect(error?.description.contains(part) == true, "\(error?.description ?? "")")
    }

    @Test("names that mean something else, or steer a program, are none", arguments: ["none", "user", "host", "", "a b", "-a", "a\"", "a\nb", "ns"])
    func names(name: String) {
        #expect(throws: NetworkError.self) { try plan().network(request(name), time: 0) }
    }

    @Test("the first free address is given, one that is remembered for somebody last, the gateway's never")
    func addresses() throws {
        let subnet = NetworkSubnet(subnet: try #require(Subnet("10.0.0.0/29")), gateway: try #require(IPAddress("10.0.0.1")))
        func set(_ last: ClosedRange<UInt8>...) -> Set<IPAddress> { Set(last.joined().compactMap { IPAddress(bytes: [10, 0, 0, $0]) }) }
        func free(_ taken: Set<IPAddress>, _ remembered: Set<IPAddress> = []) -> String? {
            AddressChoice.free(in: subnet, taken: taken, remembered: remembered)?.description
        }
        #expect(free([]) == "10.0.0.2")
        #expect(free(set(2...2), set(3...4)) == "10.0.0.5")
        #expect(free(set(2...2), set(3...6)) == "10.0.0.3")
        #expect(free(set(2...5)) == "10.0.0.6")
        #expect(free(set(2...6)) == nil)
        var ranged = subnet
        (ranged.first, ranged.last) = (IPAddress("10.0.0.5"), IPAddress("10.0.0.5"))
        #expect(AddressChoice.free(in: ranged, taken: [], remembered: [])?.description == "10.0.0.5")
        #expect(AddressChoice.free(in: ranged, taken: set(5...5), remembered: []) == nil)
    }

    @Test("an address that is asked for is on the subnet, free, and not the gateway's", arguments: ["10.0.0.0", "10.0.0.1", "10.0.0.7", "10.0.0.3", "10.1.0.2", "fd00::2"])
    func given(address: String) throws {
        let subnet = NetworkSubnet(subnet: try #require(Subnet("10.0.0.0/29")), gateway: try #require(IPAddress("10.0.0.1")))
        let taken = Set([IPAddress("10.0.0.3")].compactMap { $0 })
        let asked = try #require(IPAddress(address))
        #expect(throws: NetworkError.self) { try AddressChoice.given(asked, in: subnet, taken: taken, option: "--ip") }
        try AddressChoice.given(try #require(IPAddress("10.0.0.4")), in: subnet, taken: taken, option: "--ip")
    }

    @Test("the last address has none behind it")
    func endOfAddresses() {
        #expect(IPAddress("255.255.255.255")?.next == nil)
        #expect(IPAddress("10.0.0.255")?.next == IPAddress("10.0.1.0"))
        #expect(IPAddress("::ffff")?.next == IPAddress("::1:0"))
    }
}
