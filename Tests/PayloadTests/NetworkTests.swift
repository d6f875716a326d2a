import CLinux
import Glibc
import LinuxSystem
import ProcessSupport
import Testing
import TestSupport

extension SvmmBoot {
    @Suite("gives a guest its networks", .needsKVM)
    struct NetworkTests {
        private static let ip = findProgram("ip") ?? "/usr/sbin/ip"

        /// Runs ip(8) in the calling thread's network namespace.
        private static func ip(_ words: String) throws {
            let end = try ChildProcess([ip] + words.split(separator: " ").map(String.init)).waitForEnd()
            guard end == .exited(0) else { throw SetUpError("ip \(words): \(end)") }
        }

        @Test("frames of every length cross two TAPs, both ways, and are in the capture",
              .enabled(if: canMakeTaps, "needs root and /dev/net/tun"))
        func taps() throws {
            let directory = TemporaryDirectory()
            let capture = directory.path("a.pcap")
            try inNetworkNamespace {
                try Self.ip("link add joint type bridge mcast_snooping 0")
                try Self.ip("link set dev joint up")
                for name in ["a", "b"] {
                    try Self.ip("tuntap add \(name) mode tap vnet_hdr")
                    try Self.ip("link set dev \(name) master joint")
                    try Self.ip("link set dev \(name) up")
                }
                let finished = try Svmm.run("net", "", ["--net", "tap=a,vhost=off,pcap=\(capture)", "--net", "tap=b,vhost=off"])
                expect(finished)
                #expect(finished.lines.last == "net: ok frames=2800", "\(finished.lines)")
            }
            let bytes = try #require(directory.contents("a.pcap"))
            var (offset, frames) = (24, 0)
            while offset + 16 <= bytes.count {
                let count = Int(bytes.get(UInt32.self, at: offset + 8))
                if Array(bytes[(offset + 28)..<(offset + 30)]) == [0x88, 0xB5] { frames += 1 }
                offset += 16 + count
            }
            #expect(offset == bytes.count && frames == 2800)
        }

        @Test("what is wrong with a network is said before the guest starts", arguments: [
            ("fd=900", "fd=900: Bad file descriptor; expected a descriptor above 2 that svmm was started with"),
            ("tap=lo,vhost=off", "tap=lo: "), ("user,publish=127.0.0.1:1:1,pcap=/dev/null", "user,pcap=/dev/null: expected a regular file"),
            ("user,publish=255.255.255.1:40000:1", "user: passt ended with status "),
        ])
        func refused(option: String, words: String) throws {
            let finished = try Svmm.run("power", "", ["--net", option])
            #expect(finished.end == .exited(1) && finished.output.isEmpty)
            #expect(finished.errors.hasPrefix("svmm: --net \(words)") && finished.errorLines.count == 1, "\(finished.errors)")
        }
    }

    @Suite("watches over passt", .needsKVM, .enabled(if: findProgram("passt") != nil, "passt is not installed"))
    struct PasstTests {
        /// passt, which is there; the list of children that the kernel gives may miss one while others come and go.
        private func passt(of parent: pid_t) throws -> pid_t {
            try waitUntil("passt is a child of svmm") { !children(parent).isEmpty }
            return try #require(children(parent).first)
        }

        private func children(_ parent: pid_t) -> [pid_t] {
            let text = String(decoding: contents(ofSmallFile: "/proc/\(parent)/task/\(parent)/children") ?? [], as: UTF8.self)
            return text.split(separator: " ").compactMap { pid_t($0) }.filter { child in
                String(decoding: contents(ofSmallFile: "/proc/\(child)/comm") ?? [], as: UTF8.self).hasPrefix("passt")
            }
        }

        @Test("one that dies is a link down and comes again; the monitor's end, of whatever kind, is passt's", arguments: [SIGTERM, SIGKILL])
        func lifetime(signal: Int32) throws {
            let directory = TemporaryDirectory()
            let process = try Svmm.start("power", "power.mode=spin", [
                "--net", "user", "--state", directory.path("state"), "--grace", "0",
            ])
            try process.output.wait(for: "power: spinning")
            let first = try passt(of: process.identifier)
            kill(first, SIGKILL)
            try process.errors.wait(for: "svmm: --net user: passt ended with status 137; the link is down until it runs again\n")
            try process.errors.wait(for: "svmm: --net user: passt runs again; the link is up\n")
            let second = try passt(of: process.identifier)
            #expect(second != first)
            let link = try ChildProcess([Svmm.path, "net", "link", directory.path("state"), "0", "down"])
            #expect(try link.waitForEnd() == .exited(0))
            let none = try ChildProcess([Svmm.path, "net", "link", directory.path("state"), "1", "up"])
            #expect(try none.waitForEnd() == .exited(1))
            #expect(try none.errors.wholeText().hasSuffix("interface 1: the machine has interfaces 0 to 0, in the order of --net\n"))
            // pidfd_open(2)
            let watch = FileDescriptor(owning: svmm_pidfd_open(second))
            process.signal(signal)
            _ = try process.waitForEnd()
            // Its end is seen at the descriptor, however long it takes.
            try waitUntilReadable(watch.raw, "the end of passt")
            unlink(directory.path("state") + "/control.sock")
        }
    }
}
