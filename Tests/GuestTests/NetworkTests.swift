import Glibc
import LinuxSystem
import ProcessSupport
import Testing
import TestSupport

extension LinuxGuests {
    @Suite("use networks", .needsRoot)
    struct NetworkTests {
        private let directory = TemporaryDirectory()

        /// Arguments that boot the busybox guest with a scenario of Tools/guest/network-initramfs.
        private func arguments(_ scenario: String, _ options: [String]) throws -> [String] {
            let tool = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" } + "/Tools/guest/network-initramfs"
            let build = try ChildProcess([tool, directory.path("net.cpio")])
            try #require(try build.waitForEnd() == .exited(0), "\(build.errors.text)")
            return [Guest.svmm, "boot", "--kernel", Kernel.vmlinux.path, "--initrd", directory.path("net.cpio"),
                    "--memory", "256M", "--cmdline", "quiet net.run=\(scenario)"] + options
        }

        private static func run(_ words: String...) throws {
            let process = try ChildProcess(["/usr/bin/env"] + words)
            guard try process.waitForEnd() == .exited(0) else { throw TimeoutError(what: "\(words): \(process.errors.text)") }
        }

        /// A TAP with an address, and a web server behind it.
        private static func makeTap(_ name: String) throws {
            try run("/sbin/ip", "tuntap", "add", name, "mode", "tap", "vnet_hdr")
            try run("/sbin/ip", "address", "add", "10.9.0.1/24", "dev", name)
            try run("/sbin/ip", "link", "set", "dev", name, "mtu", "9000", "up")
        }

        @Test("ping, large frames and TCP both ways, by svmm and by the host's kernel", arguments: ["off", "on"])
        func tap(vhost: String) throws {
            let directory = directory
            let arguments = try arguments("static net.mtu=9000", ["--net", "tap=guest0,vhost=\(vhost)"])
            var random = SplitMix64(seed: 5)
            _ = try directory.file("data", random.bytes(2 << 20))
            let (guest, end) = try inNetworkNamespace {
                try Self.makeTap("guest0")
                let server = try ChildProcess(["/bin/busybox", "httpd", "-f", "-p", "8000", "-h", directory.path])
                // Its input stays open: at its end it would end the connection.
                let back = try ChildProcess(["/bin/busybox", "sh", "-c", "exec nc -l -p 8001 >\(directory.path("back"))"], input: .pipe)
                let guest = try Finished(ChildProcess(arguments))
                let end = try back.waitForEnd()
                server.signal(SIGTERM)
                _ = try server.waitForEnd()
                return (guest, end)
            }
            guest.expect(ok: ["ping", "jumbo", "tcp-in"])
            #expect(end == .exited(0))
            #expect(directory.contents("back") == directory.contents("data"))
        }

        @Test("a user network: DHCP, DNS, a server of the host's, and a published port",
              .enabled(if: findProgram("passt") != nil, "passt is not installed"))
        func user() throws {
            let directory = directory
            let arguments = try arguments("user", ["--net", "user,host-loopback", "--publish", "127.0.0.1:2280:80"])
            _ = try directory.file("data", Array("from the host\n".utf8))
            let resolver = try directory.file("resolv.conf", Array("nameserver 127.0.0.1\n".utf8))
            // passt reads it as nobody.
            try #require(chmod(resolver, 0o644) == 0)
            let (guest, page) = try inNetworkNamespace(resolver: resolver) {
                // A host with a way out, as passt wants one, and a name server of its own.
                try Self.run("/sbin/ip", "link", "add", "out0", "type", "dummy")
                try Self.run("/sbin/ip", "address", "add", "192.0.2.2/24", "dev", "out0")
                try Self.run("/sbin/ip", "link", "set", "dev", "out0", "up")
                try Self.run("/sbin/ip", "route", "add", "default", "via", "192.0.2.1")
                let names = try startNameServer(address: [192, 0, 2, 77])
                let server = try ChildProcess(["/bin/busybox", "httpd", "-f", "-p", "127.0.0.1:8000", "-h", directory.path])
                let guest = try ChildProcess(arguments)
                try guest.output.wait(for: "guest: serving")
                let page = try ChildProcess(["/bin/busybox", "wget", "-q", "-O", "-", "http://127.0.0.1:2280/"])
                let got = try Finished(page)
                let finished = try Finished(guest)
                names.stop()
                server.signal(SIGTERM)
                _ = try server.waitForEnd()
                return (finished, got)
            }
            #expect(page.end == .exited(0) && page.console == "published\n", "\(page.console)\(page.errors)")
            guest.expect(ok: ["dhcp", "dns", "host"])
            #expect(guest.facts["lease"].first?.hasPrefix("192.0.2.2 192.0.2.1 ") == true, "\(guest.facts["lease"])")
        }

        @Test("the guest sees its cable pulled and put in")
        func flap() throws {
            let state = directory.path("state")
            let arguments = try arguments("flap", ["--net", "tap=guest0,vhost=off", "--state", state])
            let finished = try inNetworkNamespace {
                try Self.makeTap("guest0")
                let guest = try ChildProcess(arguments)
                try guest.output.wait(for: "guest: ready")
                try Self.run(Guest.svmm, "net", "link", state, "0", "down")
                try guest.output.wait(for: "guest: ok down")
                try Self.run(Guest.svmm, "net", "link", state, "0", "up")
                return try Finished(guest)
            }
            finished.expect(ok: ["up", "down", "again", "ping"])
        }
    }
}
