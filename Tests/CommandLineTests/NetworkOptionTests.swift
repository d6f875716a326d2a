import MachineProtocol
import CommandSupport
@testable import svmm
import Testing

@Suite("Options of networks")
struct NetworkOptionTests {
    private static let limit = NetworkDescription.RateLimit(bits: 10_000_000, packets: 500)

    @Test("--net takes a backend and words", arguments: [
        ("tap", NetworkDescription(.tap(name: nil))),
        ("tap=br-0,mac=02:00:00:00:00:Ff,mtu=9000,queues=4,vhost=off",
         NetworkDescription(.tap(name: "br-0"), mac: [2, 0, 0, 0, 0, 255], mtu: 9000, queueCount: 4, vhost: .off)),
        ("user", NetworkDescription(.user(UserNetworkDescription()))),
        ("user,publish=80:8080,publish=127.0.0.1:53:53/udp,host-loopback",
         NetworkDescription(.user(UserNetworkDescription(published: [
             PublishedPort(host: 80, guest: 8080),
             PublishedPort(address: "127.0.0.1", host: 53, guest: 53, transport: .udp)], reachesHost: true)))),
        ("fd=7,pcap=/tmp/a.pcap", NetworkDescription(.descriptor(7), capturePath: "/tmp/a.pcap")),
        ("tap,rx-bps=10M,rx-pps=500,tx-pps=1K",
         NetworkDescription(.tap(name: nil), receiveLimit: limit, transmitLimit: .init(packets: 1000))),
        ("tap,vhost=on", NetworkDescription(.tap(name: nil), vhost: .on)), ("none", nil),
    ] as [(String, NetworkDescription?)])
    func net(text: String, description: NetworkDescription?) throws {
        #expect(try NetworkDescription.parse(text) == description)
    }

    @Test("--net refuses what is incomplete or unknown", arguments: [
        "", "bridge", "tap=", "tap=a/b", "tap=1234567890123456", "tap=a%d", "tap,", "tap,mac=", "tap,mac=01:00:00:00:00:00",
        "tap,mac=00:00:00:00:00:00", "tap,mac=2:0:0:0:0:0", "tap,mac=02:00:00:00:00", "tap,mac=+2:00:00:00:00:00", "tap,mtu=67",
        "tap,mtu=65536", "tap,queues=0", "tap,queues=9", "tap,vhost=yes", "tap,publish=1:1", "user,queues=2", "user,vhost=on",
        "user,publish=1", "user,publish=0:1", "user,publish=1:65536", "user,publish=1:1/sctp", "user,publish=:1:1", "fd=2", "fd=",
        "fd=x", "fd=7,queues=2", "none,mac=02:00:00:00:00:01", "tap,rx-bps=0", "tap,rx-bps=1T", "tap,rx-bps=20000000000G", "tap,pcap=",
        "user,publish=::1:1:1", "user,publish=a b:1:1",
    ])
    func badNet(text: String) {
        #expect(throws: Expected.self) { try NetworkDescription.parse(text) }
    }

    @Test("--publish is LinuxKit's form", arguments: [
        ("2222:22", PublishedPort(host: 2222, guest: 22)), ("2222:22/tcp", PublishedPort(host: 2222, guest: 22)),
        ("53:53/udp", PublishedPort(host: 53, guest: 53, transport: .udp)),
        ("[::1]:80:8080", PublishedPort(address: "::1", host: 80, guest: 8080)),
    ])
    func publish(text: String, port: PublishedPort) throws {
        #expect(try PublishedPort(parsing: text) == port)
    }

    @Test("published ports go to the first user network, and bring one where there is no network")
    func combine() throws {
        let port = PublishedPort(host: 1, guest: 2)
        let tap = NetworkDescription(.tap(name: nil)), user = NetworkDescription(.user(UserNetworkDescription()))
        let published = NetworkDescription(.user(UserNetworkDescription(published: [port])))
        #expect(try [NetworkDescription].combine([], published: []) == [])
        #expect(try [NetworkDescription].combine([nil], published: []) == [])
        #expect(try [NetworkDescription].combine([], published: [port]) == [published])
        #expect(try [NetworkDescription].combine([tap, user, user], published: [port]) == [tap, published, user])
        for options in [[tap], [nil], [nil, tap]] {
            #expect(throws: Expected.self) { try [NetworkDescription].combine(options, published: [port]) }
        }
    }
}

@Suite("Addresses of networks")
struct NetworkAddressTests {
    @Test("a machine's interfaces keep their addresses, and no two are the same")
    func stable() {
        // Written down: an address that changes with a new version breaks leases and firewalls.
        #expect(NetworkDescription.mac(machine: "web", index: 0) == NetworkDescription.mac(machine: "web", index: 0))
        var all: Set<[UInt8]> = []
        for name in ["web", "web1", "we", "db", "a"] {
            for index in 0..<20 {
                let mac = NetworkDescription.mac(machine: name, index: index)
                #expect(mac.count == 6 && mac[0] & 3 == 2)
                all.insert(mac)
            }
        }
        #expect(all.count == 100)
    }
}
