import AgentProtocol
import Glibc
import LinuxSystem
import ProcessSupport
import Testing
import TestSupport

extension LinuxGuests {
    @Suite("the agent of a container, and networks", .needsRoot, .needsAgent)
    struct AgentNetworkTests {
        @Test("interfaces get their names, addresses and routes, and are used at once")
        func interfaces() throws {
            let image = try AgentImage()
            let (options, plain) = (image.options, image.sandbox)
            let (answer, outcome) = try inNetworkNamespace { () throws -> (AgentReply, AgentHost.Outcome?) in
                for number in 0..<2 {
                    try SharedDisk.run("""
                        ip tuntap add guest\(number) mode tap vnet_hdr && ip address add 10.9.\(number).1/24 dev guest\(number) &&
                        ip -6 address add fd0\(number)::1/64 dev guest\(number) nodad && ip link set guest\(number) up
                        """)
                }
                let host = try AgentHost(options + ["--net", "tap=guest0,mac=02:00:00:00:00:10", "--net", "tap=guest1,mac=02:00:00:00:00:11"])
                var sandbox = plain
                // Not in the order in which the machine has them: both names are taken.
                sandbox.interfaces = [(1 as UInt8, "eth0"), (0, "eth1")].map { number, name in
                    var address = [UInt8](repeating: 0, count: 16)
                    (address[0], address[1], address[15]) = (0xfd, number, 2)
                    var gateway = address
                    gateway[15] = 1
                    return .init(mac: [2, 0, 0, 0, 0, 0x10 + number], name: name, mtu: 1400,
                                 addresses: [.init(bytes: [10, 9, number, 2], prefixLength: 24), .init(bytes: address, prefixLength: 64)],
                                 gateways: [[10, 9, number, 1], gateway])
                }
                let answer = try host.ask(.setUp(sandbox))
                guard answer == .done else { return (answer, nil) }
                return (answer, try host.run("""
                    ip -o -4 address show | tr -s ' ' | cut -d ' ' -f 2,4; ip -o link show eth0 | grep -o 'mtu 1400'
                    ip -o -6 address show dev eth1 scope global | tr -s ' ' | cut -d ' ' -f 2,4; ip route | grep -o '^default via 10.9.1.1 dev eth0'
                    ping -c 1 -W 60 10.9.0.1 | grep -c '1 packets received'; ping -c 1 -W 60 fd01::1 | grep -c '1 packets received'
                    """))
            }
            #expect(answer == .done)
            #expect(outcome?.errors == "")
            #expect(outcome?.output == """
                lo 127.0.0.1/8
                eth1 10.9.0.2/24
                eth0 10.9.1.2/24
                mtu 1400
                eth1 fd00::2/64
                default via 10.9.1.1 dev eth0
                1
                1

                """)
        }

        @Test("an interface that is not there is named")
        func missing() throws {
            let image = try AgentImage()
            let host = try AgentHost(image.options)
            var sandbox = image.sandbox
            sandbox.interfaces = [.init(mac: [2, 0, 0, 0, 0, 0xab], name: "eth0", addresses: [], gateways: [])]
            #expect(try host.ask(.setUp(sandbox))
                == .failed(AgentFailure(.failed, "network interface eth0: no device has the address 02:00:00:00:00:ab")))
        }
    }
}
