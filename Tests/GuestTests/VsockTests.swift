import Glibc
import LinuxSystem
import ProcessSupport
import Testing
import TestSupport

extension LinuxGuests {
    @Suite("Vsock: talk to the host by sockets")
    struct VsockTests {
        private static let isSlow = SlowTests.areWanted

        /// With SVMM_SLOW_TESTS ten thousand.
        static let connectionCount = isSlow ? 10_000 : 1000
        /// Bytes in each direction; with SVMM_SLOW_TESTS 1 GiB.
        static let streamLength = isSlow ? 1 << 30 : Requirement.isEmulated ? 128 << 20 : 1 << 30

        @Test("many connections at once, from either side, and nothing is left of them",
              arguments: VsockMachine.Backend.available)
        func manyConnections(backend: VsockMachine.Backend) throws {
            let machine = try VsockMachine(backend)
            let before = try machine.count()
            let count = Self.connectionCount
            for fromHost in [true, false] {
                let (opener, acceptor) = fromHost ? (machine.host, machine.guest) : (machine.guest, machine.host)
                let (listening, target) = machine.addresses(fromHost: fromHost)
                try acceptor.expect("listen \(listening)")
                let start = Clock.monotonicNanoseconds()
                try VsockEnd.both((acceptor, "accept \(count)", expects: "ok"),
                                  (opener, "open \(count) \(target)", expects: "ok"))
                let opened = Clock.monotonicNanoseconds()
                if backend == .user { #expect(machine.guest.process.openFileCount == before.vmm + count) }
                try VsockEnd.both((acceptor, "pong", expects: "ok"), (opener, "ping", expects: "ok"))
                let used = Clock.monotonicNanoseconds()
                try machine.stopListening(acceptor)
                try VsockEnd.both((acceptor, "ended", expects: "ended=\(count) resets=0"), (opener, "close", expects: "ok"))
                try machine.waitUntilClean(before)
                let closed = Clock.monotonicNanoseconds()
                let times = [opened - start, used - opened, closed - used].map { "\($0 / 1_000_000) ms" }
                print("\(backend.rawValue), from the \(fromHost ? "host" : "guest"): \(count) connections",
                      "opened in \(times[0]), used in \(times[1]), closed in \(times[2])")
            }
            try machine.end()
        }

        @Test("long streams in both directions at once arrive whole, each to its own end",
              arguments: VsockMachine.Backend.available)
        func streams(backend: VsockMachine.Backend) throws {
            let machine = try VsockMachine(backend)
            let before = try machine.count()
            for fromHost in [true, false] {
                try machine.connect(fromHost: fromHost)
                let seed = Int.random(in: 1...1_000_000)
                try machine.guest.expect("seeds \(seed) \(seed + 1)")
                try machine.host.expect("seeds \(seed + 1) \(seed)")
                // One side ends long before the other.
                let length = (guest: Self.streamLength / (fromHost ? 1 : 16) + 4711,
                              host: Self.streamLength / (fromHost ? 16 : 1) + 1)
                let start = Clock.monotonicNanoseconds()
                try VsockEnd.both(
                    (machine.guest, "exchange \(length.guest)", expects: "sent=\(length.guest) received=\(length.host) end"),
                    (machine.host, "exchange \(length.host)", expects: "sent=\(length.host) received=\(length.guest) end"))
                let seconds = Double(Clock.monotonicNanoseconds() - start) / 1e9
                print("\(backend.rawValue), seed \(seed): \(length.host) bytes to the guest and \(length.guest) to the host",
                      "in \(seconds) s")
                try machine.host.expect("close")
                try machine.guest.expect("close")
                try machine.waitUntilClean(before)
            }
            try machine.end()
        }

        @Test("who has sent the last byte still reads to the peer's last", arguments: VsockMachine.Backend.available)
        func halfClose(backend: VsockMachine.Backend) throws {
            let machine = try VsockMachine(backend)
            let before = try machine.count()
            for (fromHost, first, second) in [(true, machine.host, machine.guest), (false, machine.host, machine.guest),
                                              (true, machine.guest, machine.host), (false, machine.guest, machine.host)] {
                try machine.connect(fromHost: fromHost)
                try first.expect("seeds 1 2")
                try second.expect("seeds 2 1")
                try first.expect("send 10000", "sent=10000")
                try first.expect("shut")
                try second.expect("receive", "received=10000 end")
                // More than all buffers on the way hold.
                try VsockEnd.both((second, "send 3000000", expects: "sent=3000000"),
                                  (first, "read 3000000", expects: "received=3000000"))
                try second.expect("shut")
                try first.expect("receive", "received=3000000 end")
                try first.expect("close")
                try second.expect("close")
                try machine.waitUntilClean(before)
            }
            try machine.end()
        }

        @Test("where nobody listens, either side is refused", arguments: VsockMachine.Backend.available)
        func refused(backend: VsockMachine.Backend) throws {
            let machine = try VsockMachine(backend)
            let before = try machine.count()
            // ECONNRESET is what Linux makes of it.
            let reset = "FAIL connect errno=104"
            try machine.host.expect("open 1 \(machine.guestPort(4999))", backend == .user ? "FAIL refused" : reset)
            try machine.guest.expect("open 1 vsock:2:4999", reset)
            if backend == .user {
                // A socket that nobody listens to any more.
                try UnixClient.abandonSocket(at: "\(machine.state)/vsock.sock_4998")
                try machine.guest.expect("open 1 vsock:2:4998", reset)
            }
            // Another guest's address: vhost drops that (ETIMEDOUT).
            try machine.guest.expect("open 1 vsock:77:4999", backend == .user ? reset : "FAIL connect errno=110")
            try machine.waitUntilClean(before)
            try machine.connect(fromHost: true)
            try machine.end()
        }

        // MARK: Deaths

        @Test("what a killed process of the guest has sent is read on the host, and then its end",
              arguments: VsockMachine.Backend.available)
        func guestProcessKilled(backend: VsockMachine.Backend) throws {
            let machine = try VsockMachine(backend)
            let before = try machine.count()
            try machine.host.expect("listen \(machine.hostPort(VsockMachine.hostPort))")
            try machine.guest.expect("flood vsock:2:\(VsockMachine.hostPort) 7")
            try machine.host.expect("accept 1")
            try machine.host.expect("seeds 0 7")
            try machine.host.expect("read 1000000", "received=1000000")
            try machine.guest.expect("kill")
            let answer = try machine.host.tell("receive")
            #expect(answer.hasPrefix("received=1") && (answer.hasSuffix(" end") || answer.hasSuffix(" errno=104")), "\(answer)")
            try machine.host.expect("close")
            try machine.waitUntilClean(before)
            try machine.end()
        }

        @Test("when a process of the host is killed, the guest reads what it has sent, and then its end",
              arguments: VsockMachine.Backend.available)
        func hostProcessKilled(backend: VsockMachine.Backend) throws {
            let machine = try VsockMachine(backend)
            let before = try machine.count()
            try machine.guest.expect("listen vsock:any:\(VsockMachine.guestPort)")
            let victim = try VsockEnd()
            try VsockEnd.both((machine.guest, "accept 1", expects: "ok"),
                              (victim, "open 1 \(machine.guestPort(VsockMachine.guestPort))", expects: "ok"))
            try machine.guest.expect("seeds 0 7")
            try victim.expect("seeds 7 0")
            try victim.start("send \(1 << 40)")
            try machine.guest.expect("read 1000000", "received=1000000")
            victim.process.signal(SIGKILL)
            try victim.process.waitForEnd()
            let answer = try machine.guest.tell("receive")
            #expect(answer.hasPrefix("received=1") && (answer.hasSuffix(" end") || answer.hasSuffix(" errno=104")), "\(answer)")
            try machine.guest.expect("close")
            try machine.guest.expect("unlisten")
            try machine.waitUntilClean(before)
            try machine.end()
        }

        @Test("a guest that reboots ends its connections on the host, and takes new ones when it is up again",
              arguments: VsockMachine.Backend.available)
        func reboot(backend: VsockMachine.Backend) throws {
            let machine = try VsockMachine(backend, ["--on-reboot", "restart"])
            let before = machine.guest.process.openFileCount
            try machine.connect(fromHost: true)
            try machine.connect(fromHost: false)
            try machine.guest.start("reboot")
            let answer = try machine.host.tell("ended")
            #expect(answer.hasPrefix("ended=2 "), "\(answer)")
            try machine.guest.begin()
            #expect(try machine.guest.tell("cid") == "cid=\(machine.contextID)")
            let after = try machine.count()
            #expect(after.vmm == before)
            try machine.connect(fromHost: true)
            try machine.connect(fromHost: false)
            try machine.host.expect("close")
            try machine.guest.expect("ended", "ended=2 resets=0")
            try machine.waitUntilClean(after)
            try machine.guest.process.send("quit\n")
            try Finished(machine.guest.process).expect(ok: ["vsock"])
        }

        @Test("when svmm is killed, its clients see the end", arguments: VsockMachine.Backend.available)
        func killed(backend: VsockMachine.Backend) throws {
            let machine = try VsockMachine(backend)
            try machine.connect(fromHost: true)
            try machine.connect(fromHost: false)
            machine.guest.process.signal(SIGKILL)
            let answer = try machine.host.tell("ended")
            #expect(answer.hasPrefix("ended=2 "), "\(answer)")
        }
    }
}
