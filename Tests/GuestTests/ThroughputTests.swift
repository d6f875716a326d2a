import Glibc
import LinuxSystem
import ProcessSupport
import Testing
import TestSupport

extension LinuxGuests {
    @Suite("send and receive at full speed", .needsRoot, .needsConformance,
           .enabled(if: findProgram("iperf3") != nil, "iperf3 is not installed"))
    struct ThroughputTests {
        /// The last line of each run is the receiver's count.
        private static let script = """
            ip address add 10.9.0.2/24 dev eth0
            ip link set dev eth0 mtu 9000 up
            measure() {
                name=$1; shift
                iperf3 --client 10.9.0.1 --format k "$@" >/tmp/out 2>&1 || { cat /tmp/out; exit 1; }
                echo "$name $(grep receiver /tmp/out | tail -n 1)"
            }
            measure tcp-out --time 2
            measure tcp-in --time 2 --reverse
            measure udp-out --time 2 --udp --bitrate 20M --length 8000
            measure udp-in --time 2 --udp --bitrate 20M --length 8000 --reverse
            """

        @Test("iperf3 over a TAP with large frames: TCP and UDP, both ways", arguments: ["off", "on"])
        func iperf(vhost: String) throws {
            let (finished, said) = try inNetworkNamespace {
                for words in ["tuntap add guest0 mode tap vnet_hdr", "address add 10.9.0.1/24 dev guest0",
                              "link set dev guest0 mtu 9000 up"] {
                    try SharedDisk.run("ip \(words)")
                }
                let disk = try SharedDisk()
                try disk.script("iperf", Self.script)
                let server = try ChildProcess(["/usr/bin/env", "iperf3", "--server", "--forceflush"])
                try server.output.wait(for: "listening on 5201")
                let finished = try Guest.script("iperf", in: disk, ["--net", "tap=guest0,vhost=\(vhost)"]).finish()
                server.signal(SIGTERM)
                return (finished, try Finished(server).console)
            }
            finished.expectProgram()
            var names: [Substring] = []
            for line in finished.printed {
                // "tcp-out [  5]   0.00-2.00   sec  1.25 MBytes  5243 Kbits/sec  receiver"
                let words = line.split(separator: " ")
                guard let unit = words.firstIndex(of: "Kbits/sec"), let rate = Double(words[unit - 1]) else { continue }
                #expect(rate > 0, "\(line)")
                names.append(words[0])
                print("vhost=\(vhost): \(words[0]) \(Int(rate)) kbit/s")
            }
            #expect(names == ["tcp-out", "tcp-in", "udp-out", "udp-in"], "\(finished.printed); server: \(said.suffix(1000))")
        }
    }
}
