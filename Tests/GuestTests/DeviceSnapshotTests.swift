import Glibc
import LinuxSystem
import ProcessSupport
import Testing
import TestSupport

extension LinuxGuests {
    @Suite("Shares: saved and restored", .needsRoot)
    struct ShareSnapshotTests {
        private let place = SnapshotPlace()

        @Test("open files are read and written on from where they were, and one that is gone is stale")
        func openFiles() throws {
            let disk = try SharedDisk()
            try disk.script("files", """
                cd /mnt
                printf 'first\\nsecond\\nthird\\n' >kept
                echo data >deleted
                : >log
                mkdir directory
                exec 5<kept 6<deleted 7>>log 8>written
                read word <&5
                echo "$word"
                echo before >&7
                echo one >&8
                cd directory
                echo ready; read line
                read word <&5
                echo "$word"
                echo after >&7
                echo two >&8
                if result=$(cat <&6 2>&1); then echo "still there: $result"; exit 1; fi
                echo "$result"
                echo three >new
                cat <&5
                """)
            let guest = try Guest.script("files", in: disk, place.options(), input: .pipe)
            try guest.wait(for: "| ready")
            let console = try place.stop(guest.process, as: "s")
            #expect(try SharedDisk.run("cd \(disk.path) && cat log written && rm deleted && echo again >deleted") == "before\none\n")
            let restored = try place.restore("s", input: .pipe)
            try restored.send("go\n")
            let finished = try Finished(restored)
            finished.expectProgram()
            #expect(Facts(console: console)["|"] == ["first", "ready"], "\(console.suffix(1000))")
            let printed = finished.printed
            #expect(printed.count == 3 && printed[0] == "second" && printed[1].contains("Stale file handle") && printed[2] == "third",
                    "\(printed)")
            #expect(try SharedDisk.run("cd \(disk.path) && cat log written directory/new") == "before\nafter\none\ntwo\nthree\n")
        }
    }

    @Suite("Vsock: saved and restored")
    struct VsockSnapshotTests {
        private let place = SnapshotPlace()
        private var state: String { place.path("vm") }

        /// For the host's `open`: a port of the guest.
        private func guestPort(_ backend: VsockMachine.Backend, _ guest: TypedGuest) throws -> String {
            backend == .user ? "user:\(state)/vsock.sock:\(VsockMachine.guestPort)"
                : "vsock:\(try guest.tell("cid", for: "cid")):\(VsockMachine.guestPort)"
        }

        /// Both ends hold one connection more, made by the host to a port to which the guest listens.
        private func connect(_ backend: VsockMachine.Backend, _ guest: TypedGuest, _ host: VsockEnd) throws {
            let port = try guestPort(backend, guest)
            try guest.start("accept 1")
            try host.expect("open 1 \(port)")
            #expect(try guest.answer() == "ok")
        }

        private func exchange(_ guest: TypedGuest, _ host: VsockEnd) throws {
            try guest.expect("seeds 1 2")
            try host.expect("seeds 2 1")
            try guest.start("exchange 100000")
            try host.expect("exchange 200000", "sent=200000 received=100000 end")
            #expect(try guest.answer() == "sent=100000 received=200000 end")
            try host.expect("close")
            try guest.expect("close")
        }

        @Test("a connection is reset, whoever listens goes on listening, and new connections work from either side",
              arguments: VsockMachine.Backend.available)
        func reset(backend: VsockMachine.Backend) throws {
            let process = try Guest("vsock", ["--vsock", backend.rawValue] + place.options(), input: .pipe).process
            let guest = try TypedGuest(booting: process)
            let host = try VsockEnd()
            try guest.expect("listen vsock:any:\(VsockMachine.guestPort)")
            for step in 0..<2 {
                try connect(backend, guest, host)
                try guest.expect("seeds 1 2")
                try host.expect("seeds 2 1")
                try host.expect("send 1000", "sent=1000")
                try guest.expect("read 1000", "received=1000")
                // The guest waits for more when it is saved: ECONNRESET is what it gets when it goes on.
                try guest.start("receive")
                _ = try place.stop(guest.process, as: "s\(step)")
                let ended = try host.tell("ended")
                #expect(ended.hasPrefix("ended=1 "), "\(ended)")
                guest.move(to: try place.restore("s\(step)", input: .pipe))
                #expect(try guest.answer() == "received=1000 errno=104")
                try guest.expect("close")
                // From the host, to the port that the guest has listened to all the time.
                try connect(backend, guest, host)
                try exchange(guest, host)
                // And from the guest.
                try host.expect("listen \(backend == .user ? "unix:\(state)/vsock.sock_\(VsockMachine.hostPort)" : "vsock:any:\(VsockMachine.hostPort)")")
                try host.start("accept 1")
                try guest.expect("open 1 vsock:2:\(VsockMachine.hostPort)")
                #expect(try host.answer() == "ok")
                try exchange(guest, host)
                try host.expect("unlisten")
                if backend == .user { unlink("\(state)/vsock.sock_\(VsockMachine.hostPort)") }
            }
            try guest.quit().expect(ok: ["vsock"])
        }
    }

    @Suite("Containers: not saved as machines", .needsImages)
    struct ContainerSnapshotTests {
        private let place = SnapshotPlace()

        @Test("svmm snapshot refuses a container's machine, which goes on")
        func refused() throws {
            try Container.background(running: ["sleep", "1000"]) { id in
                let states = directoryEntries("/run/svmm/containers").filter { id.hasPrefix($0) || $0.hasPrefix(id) }
                let state = "/run/svmm/containers/" + (try #require(states.first, "\(id)"))
                for options in [[], ["--stop"]] {
                    let command = try ChildProcess([Guest.svmm, "snapshot", state, place.path("s")] + options)
                    #expect(try command.waitForEnd() == .exited(1))
                    #expect(try command.errors.wholeText()
                        == "svmm: \(state): it is a container's machine, expected one that svmm boot or svmm restore has started\n")
                }
                #expect(directoryEntries(place.directory.path) == [])
                #expect(try Container.command("exec", id, "echo", "here") == "here\n")
            }
        }
    }
}
