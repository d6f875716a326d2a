import Glibc
import LinuxSystem
import ProcessSupport
import TestSupport
import Testing

extension LinuxGuests {
    @Suite("many containers, and such as are killed", .needsImages)
    struct ContainerLoadTests {
        @Test("nginx serves on a published port and ends in order", .enabled(if: findProgram("passt") != nil, "needs passt"))
        func nginx() throws {
            let image = Container.debian
            let (page, stop, end, log) = try inServiceNetwork {
                try Container.background(["--network", "user", "-p", "127.0.0.1:18080:80"], image: image,
                                         running: ["nginx", "-g", "daemon off;"]) { name throws in
                    var page = ""
                    try waitUntil("nginx serves") {
                        page = try Container.Outcome(ChildProcess(["curl", "-s", "-m", "5", "http://127.0.0.1:18080/"])).text
                        return page.contains("nginx")
                    }
                    let stop = try Container.outcome(["stop", "-t", "60", name])
                    return (page, stop.status, try Container.outcome(["inspect", "--format", "{{.State.ExitCode}}", name]).line,
                            try Container.outcome(["logs", name]).text)
                }
            }
            #expect(page.contains("served by nginx"))
            #expect(stop == 0)
            #expect(end == "0")
            #expect(log.contains("GET / HTTP"), "\(log)")
        }

        @Test("redis keeps what it was told over a stop and a start", .enabled(if: findProgram("passt") != nil, "needs passt"))
        func redis() throws {
            let image = Container.debian
            let (end, kept) = try inServiceNetwork {
                func ask(_ words: String...) throws -> String {
                    try Container.Outcome(ChildProcess(["redis-cli", "-p", "16379"] + words)).line
                }
                return try Container.background(
                    ["--network", "user", "-p", "127.0.0.1:16379:6379"], image: image,
                    running: ["redis-server", "--protected-mode", "no", "--dir", "/var/lib/redis", "--save", "3600 1"]
                ) { name throws in
                    try waitUntil("redis serves") { try ask("ping") == "PONG" }
                    _ = try ask("set", "key", "kept")
                    _ = try Container.outcome(["stop", "-t", "60", name])
                    let end = try Container.outcome(["inspect", "--format", "{{.State.ExitCode}}", name]).line
                    _ = try Container.outcome(["start", name])
                    try waitUntil("redis serves") { try ask("ping") == "PONG" }
                    return (end, try ask("get", "key"))
                }
            }
            #expect(end == "0")
            #expect(kept == "kept")
        }

        /// A host with a way out, as passt wants one.
        private func inServiceNetwork<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) throws -> Value {
            try inNetworkNamespace {
                for words in ["link add out0 type dummy", "address add 192.0.2.2/24 dev out0", "link set dev out0 up",
                              "route add default via 192.0.2.1"] {
                    let outcome = try Container.Outcome(ChildProcess(["/sbin/ip"] + words.split(separator: " ").map(String.init)))
                    guard outcome.status == 0 else { throw TimeoutError(what: "ip \(words): \(outcome.errors)") }
                }
                return try body()
            }
        }

        @Test("several at once: each its own, and nothing left")
        func together() throws {
            let count = SlowTests.areWanted ? 20 : 4
            let processes = try (0..<count).map { index in
                try Container.start(["run", "--rm", "--network", "none", "-m", "128m", Container.busybox, "sh", "-c",
                                     "echo \(index); cat /proc/sys/kernel/random/boot_id"])
            }
            let outcomes = try processes.map { try Container.Outcome($0) }
            for (index, outcome) in outcomes.enumerated() {
                #expect(outcome.status == 0, "\(outcome.errors)")
                #expect(outcome.line == "\(index)")
            }
            #expect(Set(outcomes.map { $0.text.split(separator: "\n").last }).count == count)
            #expect(try Container.leftovers().joined(separator: ", ") == "")
        }

        @Test("one after the other: no process, file, mount or descriptor stays")
        func oneAfterTheOther() throws {
            let count = SlowTests.areWanted ? 1000 : 5
            let mounts = contents(ofSmallFile: "/proc/self/mountinfo", limit: 1 << 20)
            for index in 0..<count {
                let outcome = try Container.run([], ["true"])
                #expect(outcome.status == 0, "run \(index): \(outcome.errors)")
            }
            #expect(try Container.leftovers().joined(separator: ", ") == "")
            #expect(contents(ofSmallFile: "/proc/self/mountinfo", limit: 1 << 20) == mounts)
        }

        @Test("whatever is killed at whatever moment, the next command finds a store in order")
        func killed() throws {
            let seed = UInt64.random(in: 1...(1 << 40))
            print("seed \(seed)")
            var state = seed
            func random(_ limit: UInt64) -> UInt64 {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return (state >> 33) % limit
            }
            for round in 0..<(SlowTests.areWanted ? 200 : 6) {
                let name = "victim-\(round)"
                let process = try Container.start(["run", "--rm", "--network", "none", "--name", name, Container.busybox, "sh", "-c",
                                                   "echo up; sleep 1"])
                // Any moment will do, so this waits for none.
                poll(nil, 0, Int32(random(4000)))
                if random(2) == 0 {
                    process.signal(SIGKILL)
                } else {
                    for monitor in try monitors() { kill(monitor, SIGKILL) }
                }
                _ = try process.waitForEnd()
                // A monitor that outlives its client comes to its own end.
                try waitUntil("round \(round): nothing is left") {
                    _ = try Container.outcome(["ls", "-a"])
                    return try Container.leftovers() == []
                }
                let next = try Container.run(["--name", name], ["echo", "next"])
                #expect(next.status == 0 && next.text == "next\n", "round \(round), seed \(seed): \(next.errors)")
            }
        }

        private func monitors() throws -> [Int32] {
            try Container.leftovers().compactMap { $0.hasPrefix("monitor ") ? Int32($0.dropFirst(8)) : nil }
        }
    }
}
