import Glibc
import LinuxSystem
import ProcessSupport
import Testing
import TestSupport

extension SvmmBoot {
    @Suite("keeps a state directory, by which other commands find it", .needsKVM)
    struct StateTests {
        let directory = TemporaryDirectory()
        var state: String { directory.path("vm") }

        /// A machine that runs until it is killed.
        private func spinning(_ options: [String]) throws -> ChildProcess {
            let process = try Svmm.start("power", "power.mode=spin", ["--state", state] + options)
            try process.output.wait(for: "power: spinning\n")
            return process
        }

        private func run(_ arguments: String...) throws -> Finished {
            try Finished(ChildProcess([Svmm.path] + arguments))
        }

        @Test("sockets are there while it runs, and gone with it")
        func lifetime() throws {
            let process = try spinning(["--vsock-ports", "2374,1"])
            #expect(directoryEntries(state) == ["control.sock", "guest.00000001", "guest.00000946", "vsock.sock"])
            process.signal(SIGQUIT)
            _ = try Finished(process)
            #expect(access(state, F_OK) != 0)
        }

        @Test("what a killed machine leaves is taken over by the next one")
        func afterKill() throws {
            let process = try spinning(["--vsock", "user"])
            process.signal(SIGKILL)
            _ = try Finished(process)
            #expect(directoryEntries(state) == ["control.sock", "vsock.sock"])
            let next = try spinning(["--vsock", "user"])
            #expect(try run("share", "list", state).end == .exited(0))
            next.signal(SIGQUIT)
            _ = try Finished(next)
            // The directory was there before this machine.
            #expect(directoryEntries(state) == [])
            rmdir(state)
        }

        @Test("a second machine in the same place is refused, and the first stays reachable")
        func inUse() throws {
            let process = try spinning(["--share-root", "all"])
            let second = try Finished(try Svmm.start("power", "", ["--state", state]))
            #expect(second.end == .exited(1))
            #expect(second.errorLines == ["svmm: --state \(state): used by another virtual machine; expected a name or directory of its own"])
            #expect(try run("share", "list", state).end == .exited(0))
            process.signal(SIGQUIT)
            _ = try Finished(process)
        }

        @Test("shares are added, listed and removed while it runs")
        func shares() throws {
            let process = try spinning(["--share-root", "all", "--share", "/usr:all/usr,ro", "--share", "/etc:etc"])
            let folder = directory.makeDirectory("folder")
            #expect(try run("share", "add", state, folder + ":all/folder,uidmap=squash=1:2").errors == "")
            #expect(try run("share", "list", state).lines == [
                "/usr:all/usr,ro", "/etc:etc", folder + ":all/folder,uidmap=squash=1:2",
            ])
            for (arguments, reason) in [
                (["add", state, "/usr:all/folder"], "share all/folder: there is a share named 'folder' already"),
                (["add", state, "/none:all/none"], "share all/none: /none: No such file or directory"),
                (["add", state, "/dev/null:all/f"], "share all/f: /dev/null: expected a directory or a regular file, found something else"),
                (["add", state, "/usr:etc/usr"], "etc: no device with a directory of shares, expected TAG/NAME with a TAG that svmm boot was given by --share-root or --share …:TAG/NAME: all"),
                (["remove", state, "all/none"], "all/none: there is no such share"),
            ] {
                let finished = try Finished(ChildProcess([Svmm.path, "share"] + arguments))
                #expect(finished.end == .exited(1))
                #expect(finished.errorLines == ["svmm: \(state): \(reason)"])
            }
            #expect(try run("share", "remove", state, "all/folder").end == .exited(0))
            #expect(try run("share", "list", state).lines == ["/usr:all/usr,ro", "/etc:etc"])
            process.signal(SIGQUIT)
            _ = try Finished(process)
        }

        @Test("commands for a machine that does not run say so")
        func noMachine() throws {
            for arguments in [["share", "list", state], ["share", "remove", state, "a/b"], ["vsock", "connect", state, "5"]] {
                let finished = try Finished(ChildProcess([Svmm.path] + arguments))
                #expect(finished.end == .exited(1))
                #expect(finished.errorLines == ["svmm: \(state): no such virtual machine runs, expected the name or the state directory of one (\(state)/control.sock)"])
            }
        }

        @Test("a port is refused when the guest has no driver, or the machine no device")
        func refusedConnection() throws {
            let process = try spinning(["--vsock", "user"])
            let finished = try run("vsock", "connect", state, "5")
            #expect(finished.end == .exited(1))
            #expect(finished.errorLines == ["svmm: \(state), vsock port 5: refused; does a program in the guest listen there?"])
            process.signal(SIGQUIT)
            _ = try Finished(process)
            let other = try spinning([])
            #expect(try run("vsock", "connect", state, "5").errorLines == ["svmm: \(state): the machine has no vsock device, expected one by --vsock"])
            other.signal(SIGQUIT)
            _ = try Finished(other)
        }
    }

    @Suite("refuses shares and sockets that cannot be, in one line")
    struct BadShareTests {
        let refusal = Refusal()

        @Test("shares", arguments: [
            (["--share", "/none:t"], 1, "--share …:t: /none: No such file or directory"),
            (["--share", "/etc/passwd:t"], 1, "--share …:t: /etc/passwd: expected a directory"),
            (["--share", "/proc:t"], 1, "--share …:t: /proc: a proc file system"),
            (["--share", "/usr:t", "--share", "/etc:t"], 2, "--share …:t: the tag t is used twice"),
            (["--share", "/usr:t/a", "--share", "/etc:t/a"], 1, "--share …:t/a: there is a share named 'a' already"),
            (["--share", "/usr:t", "--share-root", "t"], 2, "--share …:t: the tag t is used twice"),
            (["--share", "/usr"], 2, "*expected HOSTDIR:TAG"), (["--share-root", "a/b"], 2, "*expected TAG"),
        ] as [([String], Int32, String)])
        func shares(arguments: [String], status: Int32, pattern: String) throws {
            try refusal.expect(with: arguments, status: status, pattern)
        }

        @Test("sockets")
        func sockets() throws {
            let file = try refusal.directory.file("file", [])
            let long = refusal.directory.path(String(repeating: "x", count: 100))
            try refusal.expect(with: ["--vsock", "user,path=\(file)"], "--vsock user: \(file): the path exists and is in use")
            try refusal.expect(with: ["--vsock", "user,path=\(long)"], "--vsock user: \(long): the path has * bytes; expected at most")
            try refusal.expect(with: ["--state", "/none/of/these"], "--state /none/of/these: No such file or directory")
            try refusal.expect(with: ["--state", file], "--state \(file): expected a directory")
            try refusal.expect(with: ["--state", long, "--vsock", "user"], "*bytes; expected at most")
            try refusal.expect(with: ["--vsock", "vhost", "--vsock-ports", "1"], status: 2, "--vsock-ports with --vsock vhost")
            try refusal.expect(with: ["--name", "a/b"], status: 2, "*letters, digits")
        }

        @Test("no /dev/vhost-vsock", .enabled(if: access("/dev/vhost-vsock", F_OK) != 0, "it is there"))
        func noVhost() throws {
            try refusal.expect(with: ["--vsock", "vhost"], "--vsock vhost: /dev/vhost-vsock: No such file or directory; load the module")
        }
    }
}
