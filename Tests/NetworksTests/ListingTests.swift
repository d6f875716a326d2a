@testable import Networks
import Testing

@Suite("What the host's programs print")
struct ListingTests {
    @Test("routes are read, default and link-local ones left out")
    func routes() {
        let version4 = """
            Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
            eth0\t00000000\t010010AC\t0003\t0\t0\t0\t00000000\t0\t0\t0
            eth0\t000010AC\t00000000\t0001\t0\t0\t0\t0000F0FF\t0\t0\t0
            bad line
            """
        #expect(RouteTable.version4(version4).map(\.description) == ["172.16.0.0/12"])
        let zero = String(repeating: "0", count: 32)
        let version6 = """
            fd000001000000000000000000000000 40 \(zero) 00 \(zero) 00000100 00000001 00000000 00000001     eth0
            fe800000000000000000000000000000 40 \(zero) 00 \(zero) 00000100 00000001 00000000 00000001     eth0
            ff000000000000000000000000000000 08 \(zero) 00 \(zero) 00000100 00000001 00000000 00000001     eth0
            \(zero) 00 \(zero) 00 \(zero) ffffffff 00000001 00000000 00200200       lo
            """
        #expect(RouteTable.version6(version6).map(\.description) == ["fd00:1::/64"])
    }

    @Test("a bridge is told from others, and says whose it is")
    func link() {
        let line = #"5: svmm1: <UP> mtu 1500 qdisc noqueue \    link/ether 02:00:00:00:00:01 brd ff:ff:ff:ff:ff:ff \    bridge forward_delay 0 hello_time 200 numrxqueues 1 \    alias svmm network a b"#
        #expect(LinkListing.link(line + "\n") == HostLink(isBridge: true, alias: "svmm network a b"))
        #expect(LinkListing.link("5: dummy0: <UP> mtu 1500") == HostLink(isBridge: false, alias: ""))
    }

    @Test("the interfaces of a namespace are those of Ethernet with addresses")
    func namespace() {
        let links = #"""
            1: lo: <LOOPBACK,UP> mtu 65536 qdisc noqueue state UNKNOWN \    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00
            2: eth0@if7: <BROADCAST,UP> mtu 1450 qdisc noqueue state UP \    link/ether 02:00:00:00:00:01 brd ff:ff:ff:ff:ff:ff link-netnsid 0
            3: eth1@if8: <BROADCAST,UP> mtu 1500 qdisc noqueue state UP \    link/ether 02:00:00:00:00:02 brd ff:ff:ff:ff:ff:ff
            4: a"b: <BROADCAST,UP> mtu 1500 qdisc noqueue state UP \    link/ether 02:00:00:00:00:03 brd ff:ff:ff:ff:ff:ff
            """#
        let addresses = #"""
            1: lo    inet 127.0.0.1/8 scope host lo\       valid_lft forever preferred_lft forever
            2: eth0    inet 10.1.2.3/24 brd 10.1.2.255 scope global eth0\       valid_lft forever
            2: eth0    inet6 fd00::3/64 scope global nodad \       valid_lft forever
            2: eth0    inet6 fe80::1/64 scope link \       valid_lft forever
            """#
        let found = NamespaceListing.interfaces(links: links, addresses: addresses, routes: "default via 10.1.2.1 dev eth0 \ndefault via fd00::1 dev eth0 metric 1024\n")
        #expect(found.count == 1)
        #expect(found.first?.name == "eth0" && found.first?.mtu == 1450 && found.first?.mac == [2, 0, 0, 0, 0, 1])
        #expect(found.first?.addresses.map { "\($0.address)/\($0.prefixLength)" } == ["10.1.2.3/24", "fd00::3/64"])
        #expect(found.first?.gateways.map(\.description) == ["10.1.2.1", "fd00::1"])
    }

    @Test("a plugin of CNI gets its own configuration, the result before it and the ports, as it can take them")
    func cni() throws {
        let text = #"{"cniVersion":"1.0.0","name":"n","plugins":[{"type":"bridge","x":1.5},{"type":"portmap","capabilities":{"portMappings":true}}]}"#
        let configuration = try #require(JSONDocument(parsing: text.utf8).flatMap(CNIConfiguration.init))
        #expect(configuration.publishesPorts)
        let port = CNIPort(address: nil, host: 8080, container: 80, transport: "tcp")
        let first = configuration.input(configuration.plugins[0], ports: [port], previous: nil)
        #expect(first.text == #"{"cniVersion":"1.0.0","name":"n","type":"bridge","x":1.5}"#)
        let second = configuration.input(configuration.plugins[1], ports: [port], previous: .object(["ips": .array([])]))
        #expect(second.text == #"{"cniVersion":"1.0.0","name":"n","prevResult":{"ips":[]},"runtimeConfig":{"portMappings":[{"containerPort":80,"hostPort":8080,"protocol":"tcp"}]},"type":"portmap"}"#)
        for bad in [#"{"name":"n"}"#, #"{"name":"n","plugins":[{"type":"../x"}]}"#, #"{"name":"n","plugins":["x"]}"#, "[]"] {
            #expect(JSONDocument(parsing: bad.utf8).flatMap(CNIConfiguration.init) == nil)
        }
    }
}
