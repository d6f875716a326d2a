import Glibc
import LinuxSystem
import ProcessSupport
import Testing
import TestSupport

extension LinuxGuests {
    @Suite("containers on networks", .needsImages, .enabled(if: canMakeTaps, "needs root and /dev/net/tun"))
    struct ContainerNetworkTests {
        private static func run(_ words: [String]) throws -> Container.Outcome {
            try Container.Outcome(try ChildProcess(["/usr/bin/env", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"] + words))
        }

        @discardableResult
        private static func must(_ words: String..., sourceLocation: SourceLocation = #_sourceLocation) throws -> String {
            let outcome = try run(words)
            #expect(outcome.status == 0, "\(words): \(outcome.errors)", sourceLocation: sourceLocation)
            return outcome.text
        }

        private static func outcome(_ arguments: [String]) throws -> Container.Outcome {
            _ = Container.root
            return try Container.Outcome(try ChildProcess([Guest.svmm, "network"] + arguments))
        }

        /// `svmm network …`, which must succeed; what it printed.
        @discardableResult
        private func network(_ arguments: String..., sourceLocation: SourceLocation = #_sourceLocation) throws -> String {
            let outcome = try Self.outcome(arguments)
            #expect(outcome.status == 0, "svmm network \(arguments): \(outcome.errors)", sourceLocation: sourceLocation)
            return outcome.text
        }

        /// Removes networks that a test has made, whatever became of them, and the containers on them.
        private func remove(_ names: String...) { _ = try? Self.outcome(["rm", "-f"] + names) }

        /// What of networks is on the host: interfaces, and the rules of all tables but svmm's.
        private func interfaces() throws -> String { try Self.must("ip", "-o", "link", "show").split(separator: "\n").filter { $0.contains("svmm") }.joined(separator: "\n") }

        /// A web server that says one word.
        private static func server(_ word: String, _ command: String = "") -> [String] {
            ["sh", "-c", "\(command)mkdir /www; echo \(word) >/www/index.html; exec httpd -f -p 80 -h /www"]
        }

        /// Asks a server until it answers, as one that has just been started may not listen yet: by bash, since a static busybox cannot look
        /// up names. The last line of the answer.
        private static func ask(_ address: String) -> [String] {
            ["bash", "-c", "for n in {1..20}; do \(attempt(address, seconds: 20)) && exit 0; sleep 1; done; exit 1"]
        }

        private static func attempt(_ address: String, seconds: Int) -> String {
            "timeout \(seconds) bash -c 'exec 3<>/dev/tcp/\(address)/80; printf \"GET / HTTP/1.0\\r\\n\\r\\n\" >&3; tail -n 1 <&3'"
        }

        /// A container on networks that does what a command says, once.
        private static func client(_ networks: [String], _ command: [String]) throws -> Container.Outcome {
            try Container.outcome(["run", "--rm"] + networks.flatMap { ["--network", $0] } + [Container.debian] + command)
        }

        @Test("find each other by name, alias and address, with IPv4 and IPv6; those on another network do neither")
        func names() throws {
            defer { remove("one", "two") }
            try network("create", "--ipv6", "one")
            try network("create", "--ipv6", "two")
            try Container.background(["--name", "alpha", "--network", "one:alias=www"], running: Self.server("hello")) { name throws in
                let four = try Container.command("inspect", "--format", "{{.NetworkSettings.Networks.one.IPAddress}}", name).dropLast()
                let six = try Container.command("inspect", "--format", "{{.NetworkSettings.Networks.one.GlobalIPv6Address}}", name).dropLast()
                #expect(four.hasPrefix("10.89.") && six.hasPrefix("fd"), "\(four) \(six)")
                for address in ["alpha", "www", String(four), String(six)] {
                    let found = try Self.client(["one"], Self.ask(address))
                    #expect(found.text == "hello\n", "\(address): \(found.errors)")
                }
                let stranger = try Self.client(["two"], ["bash", "-c", """
                    getent ahosts alpha; \(Self.attempt(String(four), seconds: 3)); \(Self.attempt(String(six), seconds: 3)); echo end
                    """])
                #expect(stranger.text == "end\n", "\(stranger.errors)")
                // On both networks it is reached by both.
                let both = try Self.client(["two", "one"], Self.ask(String(four)))
                #expect(both.text == "hello\n", "\(both.errors)")
            }
            #expect(try Container.leftovers().joined(separator: ", ") == "")
        }

        @Test("publish ports to the host, its loopback and other machines; one in use is an error before anything starts; other rules stay as they were")
        func published() throws {
            defer { remove("web") }
            try Self.must("nft", "add table inet mine; add chain inet mine input { type filter hook input priority 5; }; add rule inet mine input counter")
            defer { _ = try? Self.run(["nft", "delete table inet mine"]) }
            let before = try Self.must("nft", "-s", "list", "ruleset")
            // Another machine, by a cable.
            try Self.must("ip", "netns", "add", "far")
            defer { _ = try? Self.run(["ip", "netns", "del", "far"]) }
            try Self.must("ip", "link", "add", "cable", "type", "veth", "peer", "name", "far0", "netns", "far")
            try Self.must("ip", "address", "add", "192.0.2.1/24", "dev", "cable")
            try Self.must("ip", "link", "set", "cable", "up")
            try Self.must("ip", "-n", "far", "address", "add", "192.0.2.2/24", "dev", "far0")
            try Self.must("ip", "-n", "far", "link", "set", "far0", "up")
            try network("create", "web")
            let curl = ["curl", "-s", "--max-time", "60", "--retry", "20", "--retry-connrefused", "--retry-delay", "1"]
            try Container.background(["--network", "web", "-p", "8080:80", "--name", "served"], running: Self.server("served")) { name throws in
                #expect(try Container.command("port", name) == "80/tcp -> 0.0.0.0:8080\n")
                for address in ["127.0.0.1", "192.0.2.1"] {
                    let found = try Self.run(curl + ["http://\(address):8080/"])
                    #expect(found.text == "served\n", "\(address): \(found.status) \(found.errors)")
                }
                let far = try Self.run(["ip", "netns", "exec", "far"] + curl + ["http://192.0.2.1:8080/"])
                #expect(far.text == "served\n", "\(far.status) \(far.errors)")
                let refused = try Container.outcome(["run", "--rm", "--network", "web", "-p", "8080:80", Container.busybox, "true"])
                #expect(refused.status == 125)
                #expect(refused.errors.contains("8080"), "\(refused.errors)")
            }
            remove("web")
            #expect(try Self.must("nft", "-s", "list", "ruleset") == before)
            #expect(try interfaces() == "")
            #expect(try Container.leftovers().joined(separator: ", ") == "")
        }

        @Test("reach the world by the host's address, but not from an internal network")
        func world() throws {
            defer { remove("out", "in") }
            try network("create", "out")
            try network("create", "--internal", "in")
            try Self.must("ip", "netns", "add", "world")
            defer { _ = try? Self.run(["ip", "netns", "del", "world"]) }
            try Self.must("ip", "link", "add", "uplink", "type", "veth", "peer", "name", "world0", "netns", "world")
            try Self.must("ip", "address", "add", "198.51.100.1/24", "dev", "uplink")
            try Self.must("ip", "link", "set", "uplink", "up")
            try Self.must("ip", "-n", "world", "address", "add", "198.51.100.2/24", "dev", "world0")
            try Self.must("ip", "-n", "world", "link", "set", "world0", "up")
            // It has no route back: what comes has to have the host's address.
            let python = "import http.server; http.server.HTTPServer(('198.51.100.2', 80), type('H', (http.server.BaseHTTPRequestHandler,), {'do_GET': lambda s: (s.send_response(200), s.end_headers(), s.wfile.write((s.client_address[0] + chr(10)).encode()))})).serve_forever()"
            let server = try ChildProcess(["/usr/bin/env", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "ip", "netns", "exec", "world", "python3", "-c", python])
            defer { server.signal(SIGKILL); _ = try? server.waitForEnd() }
            let out = try Self.client(["out"], Self.ask("198.51.100.2"))
            #expect(out.text == "198.51.100.1\n", "\(out.errors)")
            let inside = try Self.client(["in"], ["bash", "-c", "\(Self.attempt("198.51.100.2", seconds: 3)); echo end"])
            #expect(inside.text == "end\n", "\(inside.errors)")
        }

        @Test("what a killed monitor has left is taken back by the next command")
        func killed() throws {
            defer { remove("lost") }
            try network("create", "lost")
            let outcome = try Container.outcome(["run", "-d", "--rm", "--network", "lost", "-p", "8081:80", Container.busybox, "sleep", "1000"])
            try #require(outcome.status == 0, "\(outcome.errors)")
            let process = try Container.command("inspect", "--format", "{{.State.Pid}}", outcome.line).dropLast()
            #expect(try interfaces().contains("master svmm"))
            kill(try #require(Int32(process)), SIGKILL)
            try Self.must("tail", "--pid=\(process)", "-f", "/dev/null")
            #expect(try Container.command("ls", "-aq") == "")
            #expect(try !interfaces().contains("master svmm"))
            #expect(try !network("inspect", "lost").contains(outcome.line))
            #expect(try !Self.must("nft", "-s", "list", "ruleset").contains("8081"))
            #expect(try Container.leftovers().joined(separator: ", ") == "")
        }
    }
}
