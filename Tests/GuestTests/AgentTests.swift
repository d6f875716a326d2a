import AgentProtocol
import Glibc
import LinuxSystem
import ProcessSupport
import Testing
import TestSupport

extension LinuxGuests {
    @Suite("the agent of a container", .needsRoot, .needsAgent)
    struct AgentTests {
        @Test("processes end with their own status, or do not start and say why")
        func statuses() throws {
            let image = try AgentImage()
            let host = try AgentHost(image.options)
            try host.setUp(image.sandbox)
            for status in [0, 1, 7, 255] as [UInt8] { #expect(try host.run("exit \(status)").status == status) }
            #expect(try host.run("echo out; echo err >&2; exit 3") == .init(status: 3, output: "out\n", errors: "err\n"))
            let cases: [(String, AgentFailure.Kind)] = [
                ("nosuch", .commandNotFound), ("/bin/nosuch", .commandNotFound), ("bad-script", .commandNotFound), ("", .commandNotFound),
                ("/etc", .commandNotExecutable), ("/etc/passwd", .commandNotExecutable), ("bad-format", .commandNotExecutable),
            ]
            for (program, kind) in cases {
                let failure = try host.failure(.init([program]))
                #expect(failure.kind == kind, "\(program): \(failure.text)")
            }
            var configuration = ProcessConfiguration(["true"])
            configuration.workingDirectory = "/etc/passwd"
            #expect(try host.failure(configuration).kind == .commandNotExecutable)
            configuration = ProcessConfiguration(["true"])
            configuration.user = "nobody"
            #expect(try host.failure(configuration).text == "unable to find user nobody: no matching entries in passwd file")
            // None of these has left anything that would be in the way.
            #expect(try host.run("echo $$").output == "1\n")
            #expect(try host.ask(.signal(process: 0, signal: 9)) == .failed(AgentFailure(.notFound, "the container's process does not run")))
        }

        @Test("a container finds its root, names, files and mounts")
        func surroundings() throws {
            let image = try AgentImage()
            let disk = try SharedDisk()
            let shared = disk.makeDirectory("shared")
            try SharedDisk.run("echo from the host >\(shared)/file; mkdir \(shared)/inner; ln -s /etc/passwd \(shared)/outside")
            let host = try AgentHost(image.options + ["--share", "\(shared):share"])
            var sandbox = image.sandbox
            sandbox.domainName = "example.org"
            sandbox.files = [.init(path: "/etc/hosts", contents: Array("127.0.0.1 box\n".utf8)),
                             .init(path: "/etc/resolv.conf", mode: 0o600, contents: Array("nameserver 10.0.2.3\n".utf8))]
            sandbox.kernelParameters = [.init(name: "net.ipv4.ip_unprivileged_port_start", value: "80"), .init(name: "kernel.shmmax", value: "12345678")]
            sandbox.maskedPaths = ["/proc/interrupts", "/sys/firmware", "/nowhere"]
            sandbox.readOnlyPaths = ["/proc/sys"]
            sandbox.sharedMemorySize = 8 << 20
            sandbox.mounts = [
                .init(.share(tag: "share", name: ""), at: "/mnt/shared"),
                .init(.share(tag: "share", name: "inner"), at: "/mnt/read-only", isReadOnly: true),
                .init(.share(tag: "share", name: "file"), at: "/mnt/file"),
                .init(.temporary(size: 1 << 20, mode: 0o1777), at: "/scratch", flags: [.noSetID, .noDevices]),
                .init(.temporary(size: 0, mode: 0o755), at: "/data", copiesImage: true),
                .init(.temporary(size: 0, mode: 0o755), at: "/proc/sys/fs/binfmt_misc"),
            ]
            try host.setUp(sandbox)
            func expect(_ script: String, _ output: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
                let outcome = try host.run(script)
                #expect(outcome == .init(status: 0, output: output), "\(script)", sourceLocation: sourceLocation)
            }
            try expect("hostname; cat /proc/sys/kernel/domainname", "box\nexample.org\n")
            try expect("cat /etc/hosts /etc/resolv.conf; stat -Lc %a /etc/resolv.conf", "127.0.0.1 box\nnameserver 10.0.2.3\n600\n")
            try expect("echo 10.0.0.1 more >>/etc/hosts; tail -n 1 /etc/hosts", "10.0.0.1 more\n")
            try expect("cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/kernel/shmmax", "80\n12345678\n")
            try expect("cat /mnt/shared/file /mnt/file; echo from the guest >/mnt/shared/new; echo x 2>/dev/null >/mnt/read-only/x || echo refused",
                       "from the host\nfrom the host\nrefused\n")
            #expect(try SharedDisk.run("cat \(shared)/new") == "from the guest\n")
            try expect("cat /data/file; stat -c '%a %u %g' /data; echo changed >/data/file", "seed\n750 1000 29\n")
            try expect("cat /data/file; grep ' /scratch ' /proc/mounts | grep -o nosuid,nodev; stat -c %a /scratch", "changed\nnosuid,nodev\n1777\n")
            try expect("grep -c ' /proc/sys/fs/binfmt_misc ' /proc/mounts; wc -c </proc/interrupts; ls /sys/firmware | wc -l", "1\n0\n0\n")
            try expect("echo 1 2>/dev/null >/proc/sys/kernel/shmmax || echo refused; echo x 2>/dev/null >/sys/kernel/mm/x || echo refused", "refused\nrefused\n")
            try expect("for d in null zero full random urandom tty ptmx fd stdin stdout stderr; do test -e /dev/$d || echo no $d; done; echo >/dev/null", "")
            try expect("df -k /dev/shm | tail -n 1 | tr -s ' ' | cut -d ' ' -f 2; cat /proc/self/cgroup; ls /sys/fs/cgroup/cgroup.procs; ls /dev/mqueue",
                       "8192\n0::/\n/sys/fs/cgroup/cgroup.procs\n")
            try expect("ip link show lo | grep -c LOOPBACK,UP; ping -c 1 127.0.0.1 | grep -c '1 packets received'", "1\n1\n")
            // Nothing of the machine itself is to be seen.
            try expect("ps -o pid,args | tail -n +2 | grep -v -e ps -e tail -e grep; ls /; cut -d ' ' -f 5 /proc/self/mountinfo | grep -c -e overlay -e /image; true", """
                bin
                data
                dev
                etc
                home
                lost+found
                mnt
                proc
                run
                scratch
                sys
                tmp
                0

                """)
        }

        @Test("a read-only root is read-only, but for what is mounted there")
        func readOnlyRoot() throws {
            let image = try AgentImage()
            let host = try AgentHost(image.options)
            var sandbox = image.sandbox
            sandbox.root.isReadOnly = true
            sandbox.root.writableDisk = nil
            sandbox.files = [.init(path: "/etc/hosts", contents: Array("127.0.0.1 box\n".utf8))]
            sandbox.mounts = [.init(.temporary(size: 0, mode: 0o755), at: "/var/new")]
            try host.setUp(sandbox)
            #expect(try host.run("touch /x 2>/dev/null || echo refused; touch /var/new/x; cat /etc/hosts; ls /proc/self/status")
                == .init(status: 0, output: "refused\n127.0.0.1 box\n/proc/self/status\n"))
        }

        @Test("links in an image lead nowhere else")
        func hostileImage() throws {
            // Each of these would otherwise reach the machine's own files.
            let image = try AgentImage("""
                rmdir proc tmp; ln -s /../../../etc proc; ln -s ../../../../../dev dev; ln -s / sys
                ln -s /nowhere/../../etc/passwd link; ln -s loop loop
                """)
            let host = try AgentHost(image.options)
            var sandbox = image.sandbox
            sandbox.mounts = [.init(.temporary(size: 0, mode: 0o700), at: "/link")]
            guard case .failed(let failure) = try host.ask(.setUp(sandbox)) else { return #expect(Bool(false), "set up") }
            #expect(failure.kind == .failed)
            #expect(try host.ask(.statistics) == .failed(AgentFailure(.failed, "the container has not been set up")))
        }

        @Test("users, groups, capabilities, limits and environment are as asked for")
        func identities() throws {
            let image = try AgentImage()
            let host = try AgentHost(image.options)
            try host.setUp(image.sandbox)
            func identity(_ user: String, _ groups: [String] = []) throws -> String {
                try host.run("id -u; id -g; id -G; echo $HOME; grep -e CapEff -e CapBnd /proc/self/status | cut -f 2") {
                    $0.user = user
                    $0.additionalGroups = groups
                }.output.split(separator: "\n").joined(separator: " ")
            }
            #expect(try identity("") == "0 0 0 /root 00000000a80425fb 00000000a80425fb")
            #expect(try identity("alice") == "1000 1000 1000 29 /home/alice 0000000000000000 00000000a80425fb")
            #expect(try identity("1000", ["video"]) == "1000 1000 1000 29 44 /home/alice 0000000000000000 00000000a80425fb")
            #expect(try identity("alice:video") == "1000 44 44 /home/alice 0000000000000000 00000000a80425fb")
            #expect(try identity("77:88") == "77 88 88 / 0000000000000000 00000000a80425fb")
            let outcome = try host.run(
                "pwd; umask; ulimit -n; ulimit -c; cat /proc/self/oom_score_adj; echo $A-$HOME-$PATH; grep -e CapAmb -e NoNew /proc/self/status | cut -f 2"
            ) {
                $0.user = "alice"
                $0.workingDirectory = "/srv/made/here"
                $0.environment = ["A=b c", "HOME=/h", "PATH=/bin"]
                $0.umask = 0o027
                $0.limits = [.init(resource: 7, soft: 100, hard: 200), .init(resource: 4, soft: 0, hard: .max)]
                $0.outOfMemoryScore = 321
                $0.hasNoNewPrivileges = true
                $0.ambientCapabilities = 1 << 10
            }
            #expect(outcome == .init(status: 0, output: "/srv/made/here\n0027\n100\n0\n321\nb c-/h-/bin\n0000000000000400\n1\n"))
            // What a program inherits besides is the kernel's default.
            #expect(try host.run("ulimit -n; grep -e SigBlk -e SigIgn /proc/self/status | cut -f 2; ls /proc/self/fd | wc -l").output
                == "1024\n0000000000000000\n0000000000000000\n4\n")
        }
    }
}
