import Glibc
import LinuxSystem
import ProcessSupport
import Testing
import TestSupport

extension LinuxGuests {
    @Suite("Vsock: are reached by commands and by the conventions of others")
    struct VsockCommandTests {
        private static func connect(_ machine: String, _ port: Int) throws -> ChildProcess {
            try ChildProcess([Guest.svmm, "vsock", "connect", machine, "\(port)"], input: .pipe)
        }

        @Test("`svmm vsock connect` carries every byte both ways, passes the end of input on, and ends with the guest's",
              arguments: VsockMachine.Backend.available)
        func connectCommand(backend: VsockMachine.Backend) throws {
            let machine = try VsockMachine(backend)
            let before = try machine.count()
            var random = SplitMix64(seed: 1)
            // What the guest's `accept` sends back, then more than all buffers on the way hold.
            let bytes = [0x00, 0xFF] + Array(0...255) + random.bytes(1_500_000)
            try machine.guest.expect("listen vsock:any:1000")
            try machine.guest.start("accept 1")
            let command = try Self.connect(machine.state, 1000)
            try command.send(Array(bytes[..<2]))
            #expect(try machine.guest.answer() == "ok")
            try machine.guest.start("echo")
            try command.send(Array(bytes[2...]))
            #expect(!command.hasEnded)
            command.closeInput()
            #expect(try machine.guest.answer() == "echoed=\(bytes.count - 2)")
            // The guest's half is still open.
            #expect(!command.hasEnded)
            try machine.guest.expect("close")
            #expect(try command.waitForEnd() == .exited(0))
            #expect(try command.output.waitForEnd() == bytes)
            #expect(try command.errors.waitForEnd() == [])

            let refused = try Self.connect(machine.state, 4999)
            #expect(try refused.waitForEnd() == .exited(1))
            #expect(String(decoding: try refused.errors.waitForEnd(), as: UTF8.self)
                == "svmm: \(machine.state), vsock port 4999: refused; does a program in the guest listen there?\n")
            try machine.guest.expect("unlisten")
            try machine.waitUntilClean(before)
            try machine.end()
            let gone = try Self.connect(machine.state, 1000)
            #expect(try gone.waitForEnd() == .exited(1))
            let words = String(decoding: try gone.errors.waitForEnd(), as: UTF8.self)
            #expect(words.hasPrefix("svmm: \(machine.state): ") && words.filter(\.isNewline).count == 1, "\(words)")
        }

        @Test("a socket for one port goes there without CONNECT, and is gone with svmm")
        func directPort() throws {
            let machine = try VsockMachine(.user, ["--vsock-ports", "1000,4294967294"])
            let before = try machine.count()
            let path = "\(machine.state)/guest.000003e8"
            // Nobody listens yet: the end comes where there is no answer.
            #expect(try machine.host.tell("open 1 unix:\(path)").hasPrefix("FAIL "))
            try machine.host.expect("close")
            try machine.guest.expect("listen vsock:any:1000")
            try VsockEnd.both((machine.guest, "accept 20", expects: "ok"),
                              (machine.host, "open 20 unix:\(path)", expects: "ok"))
            try VsockEnd.both((machine.guest, "pong", expects: "ok"), (machine.host, "ping", expects: "ok"))
            try machine.guest.expect("listen vsock:any:4294967294")
            try VsockEnd.both((machine.guest, "accept 1", expects: "ok"),
                              (machine.host, "open 1 unix:\(machine.state)/guest.fffffffe", expects: "ok"))
            try machine.guest.expect("unlisten")
            try machine.guest.expect("close")
            try machine.host.expect("ended", "ended=21 resets=0")
            try machine.waitUntilClean(before)
            try machine.end()
            #expect(directoryEntries(machine.state) == [])
        }

        @Test("Debian's kernel talks to the host by its stock driver")
        func debian() throws {
            let machine = try VsockMachine(.user, kernel: .debian)
            let before = try machine.count()
            for fromHost in [true, false] {
                try machine.connect(fromHost: fromHost)
                try machine.guest.expect("seeds 1 2")
                try machine.host.expect("seeds 2 1")
                let length = 4_000_000
                let expected = "sent=\(length) received=\(length) end"
                try VsockEnd.both((machine.guest, "exchange \(length)", expects: expected),
                                  (machine.host, "exchange \(length)", expects: expected))
                try machine.host.expect("close")
                try machine.guest.expect("close")
                try machine.waitUntilClean(before)
            }
            try machine.end()
        }

        @Test("with vhost each machine finds an address of its own, and one that is taken is refused",
              .enabled(if: Requirement.hasVhostVsock, "needs /dev/vhost-vsock (modprobe vhost_vsock)"))
        func addresses() throws {
            let first = try VsockMachine(.vhost)
            let second = try VsockMachine(.vhost)
            #expect(first.contextID >= 3 && second.contextID >= 3 && first.contextID != second.contextID)
            let third = try Guest("facts", ["--vsock", "vhost,cid=\(second.contextID)"]).finish()
            third.expect(status: 1, """
                --vsock vhost,cid=\(second.contextID): used by another virtual machine, expected an address of its own; \
                without cid= svmm finds one
                """)
            // Each is reached by its own.
            for machine in [first, second] {
                try machine.connect(fromHost: true)
                try VsockEnd.both((machine.guest, "pong", expects: "ok"), (machine.host, "ping", expects: "ok"))
                try machine.end()
            }
            let fourth = try VsockMachine(.vhost, device: "vhost,cid=4242")
            #expect(fourth.contextID == 4242)
            try fourth.connect(fromHost: true)
            try fourth.end()
        }

        /// Runs the kernel's own test of sockets between guest and host, one end in the guest and one on the host.
        @Test("the kernel's own vsock_test passes, with the guest as its server and as its client",
              .enabled(if: Requirement.hasVsockTest, "Tools/vsock-test/build builds it"),
              arguments: VsockMachine.Backend.available)
        func vsockTest(backend: VsockMachine.Backend) throws {
            let kernel = Kernel(testDescription: "vmlinux with vsock_test", path: Kernel.vmlinux.path,
                                initrd: "test-guest-vsock.cpio")
            let machine = try VsockMachine(backend, kernel: kernel)
            let before = try machine.count()
            for (guestMode, hostMode) in [("server", "client"), ("client", "server")] {
                // SEQPACKET is the kernel's alone; and unix sockets do not know SO_RCVLOWAT, which the client sets.
                let skipped = backend == .user ? [6, 7, 8, 9] + (hostMode == "client" ? [10] : []) : []
                let options = ["--control-port=2000"] + skipped.map { "--skip=\($0)" }
                let program = "\(variable("SVMM_GUESTS"))/vsock-test-\(backend.rawValue)"
                let base = "\(machine.state)/vsock.sock"
                let control = backend == .user ? base : "listen"
                let arguments = ["env", "SVMM_VSOCK=\(base)", program, "--control-host=\(control)", "--mode=\(hostMode)",
                                 "--peer-cid=\(machine.contextID)"] + options
                let host = try ChildProcess(arguments)
                try host.output.wait(for: "Control socket listening")
                let command = ["run", "/vsock_test", "--control-host=2", "--mode=\(guestMode)", "--peer-cid=2"] + options
                let answer = try machine.guest.tell(command.joined(separator: " "))
                let end = try host.waitForEnd()
                let said = "\(host.output.text) \(host.errors.text) console: \(machine.guest.process.output.text.suffix(1000))"
                #expect(answer == "status=0" && end == .exited(0), "\(said)")
                let results = try host.output.wholeText()
                #expect(results.count(of: "...ok\n") == 11 - skipped.count + 1, "\(said)")
                #expect(results.count(of: "...skipped\n") == skipped.count, "\(said)")
                try machine.waitUntilClean(before)
            }
            try machine.end()
        }
    }
}

extension String {
    /// How often this is in it.
    fileprivate func count(of word: String) -> Int {
        ranges(of: word).count
    }
}
