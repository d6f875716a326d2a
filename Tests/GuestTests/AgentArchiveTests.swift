import AgentProtocol
import Glibc
import LinuxSystem
import ProcessSupport
import Testing
import TestSupport

extension LinuxGuests {
    @Suite("the agent packs and unpacks files", .needsRoot, .needsAgent)
    struct AgentArchiveTests {
        private let directory = TemporaryDirectory()

        /// An archive that a script makes, in an empty directory, as `archive.tar`.
        private func archive(_ script: String) throws -> [UInt8] {
            let path = directory.makeDirectory("work")
            try SharedDisk.run("set -e; cd \(path); \(script); mv archive.tar ..; cd ..; rm -rf work")
            return try #require(directory.contents("archive.tar"))
        }

        /// What GNU tar says of an archive.
        private func list(_ bytes: [UInt8]) throws -> String {
            let path = try directory.file("listed.tar", bytes)
            return try SharedDisk.run("TZ=UTC tar --numeric-owner --xattrs -tvvf \(path) | sort -k 6")
        }

        @Test("what goes in comes out again")
        func roundTrip() throws {
            let image = try AgentImage()
            let host = try AgentHost(image.options)
            try host.setUp(image.sandbox)
            let long = String(repeating: "long", count: 50)
            let bytes = try archive("""
                mkdir -p tree/sub/\(long) tree/empty; cd tree
                echo one >one; chown 1234:56 one; chmod 4751 one; ln one sub/hard; ln -s ../one sub/link; mkfifo sub/pipe
                head -c 300000 /dev/urandom >sub/\(long)/random; : >nothing; mknod sub/null c 1 3
                chmod 1777 empty; touch -d @1234567890 one nothing empty sub/\(long)/random sub
                tar --format=pax -cf ../archive.tar .; cd ..; mv tree ../kept
                """)
            #expect(try host.extract(bytes, to: "/tmp") == .done)
            let unpacked = try host.run("""
                cd /tmp; cat one; stat -c '%a %u %g %h %Y' one sub/hard; stat -c '%a %Y' empty sub; readlink sub/link; stat -c %F sub/null sub/pipe
                """)
            #expect(unpacked == .init(status: 0, output: """
                one
                4751 1234 56 2 1234567890
                4751 1234 56 2 1234567890
                1777 1234567890
                755 1234567890
                ../one
                character special file
                fifo

                """))
            let (reply, packed) = try host.archive("/tmp")
            #expect(reply == .done)
            let path = try directory.file("packed.tar", packed)
            let again = try SharedDisk.run("""
                set -e; mkdir \(directory.path)/again; cd \(directory.path)/again; tar -xpf \(path); cd tmp
                cmp sub/\(long)/random ../../kept/sub/\(long)/random; test one -ef sub/hard; stat -c '%a %u %g %Y' one; stat -c %Y empty
                test -p sub/pipe; cd ../..; rm -rf again kept
                """)
            #expect(again == "4751 1234 56 1234567890\n1234567890\n")
            // Over what is there already.
            #expect(try host.extract(bytes, to: "/tmp") == .done)
            #expect(try host.archive("/tmp/one").bytes.starts(with: Array("one\0".utf8)))
            let root = try list(host.archive("/").bytes)
            #expect(root.contains(" bin/busybox"))
            #expect(!root.contains(" dev/null"), "what is mounted is not the root file system's")
            #expect(try host.archive("/nowhere").reply == .failed(AgentFailure(.notFound, "`/nowhere` in the container: No such file or directory")))
        }

        @Test("nothing is written outside, whatever an archive or the directory holds")
        func hostile() throws {
            let image = try AgentImage("ln -s /etc data/etc; ln -s ../../.. data/up; ln -s /data other")
            let host = try AgentHost(image.options)
            try host.setUp(image.sandbox)
            let before = try host.run("md5sum /etc/* 2>/dev/null; ls /").output
            let scripts = [
                "echo x >x; tar --transform 's,^x,../evil,' -Pcf archive.tar x", "echo x >x; tar --transform 's,^x,a/../../evil,' -Pcf archive.tar x",
                "mkdir etc; echo x >etc/evil; tar -cf archive.tar etc/evil", "mkdir up; echo x >up/evil; tar -cf archive.tar up/evil",
                "ln -s / l; tar -cf archive.tar l; rm l; mkdir l; echo x >l/evil; tar -rf archive.tar l/evil",
                "echo x >passwd; ln passwd y; tar --transform 'flags=h;s,^passwd,../etc/passwd,' --transform 's,^passwd,p,' -Pcf archive.tar passwd y",
            ]
            for script in scripts {
                guard case .failed(let failure) = try host.extract(archive(script), to: "/data") else {
                    #expect(Bool(false), "\(script) was unpacked")
                    continue
                }
                #expect(failure.kind == .failed, "\(failure.text)")
            }
            // An absolute name means one below the directory, and a link of the container's own is followed within it.
            #expect(try host.extract(archive("echo x >x; tar --transform 's,^x,/etc2/passwd,' -Pcf archive.tar x"), to: "/other") == .done)
            #expect(try host.run("cat /data/etc2/passwd").output == "x\n")
            // A member takes the place of a link, and does not go through it.
            #expect(try host.extract(archive("echo x >etc; tar -cf archive.tar etc"), to: "/data") == .done)
            #expect(try host.run("cat /data/etc").output == "x\n")
            #expect(try host.run("md5sum /etc/* 2>/dev/null; ls /").output == before)
            for bytes in [[UInt8](repeating: 0x41, count: 1 << 20), Array(try archive("echo x >x; tar -cf archive.tar x").prefix(600))] {
                guard case .failed = try host.extract(bytes, to: "/data") else { return #expect(Bool(false), "noise was unpacked") }
            }
            #expect(try host.extract([], to: "/data") == .done)
            guard case .failed(let failure) = try host.extract([], to: "/etc/passwd") else { return #expect(Bool(false), "into a file") }
            #expect(failure.kind == .notFound)
        }

        @Test("paths are described, links not followed")
        func status() throws {
            let image = try AgentImage()
            let host = try AgentHost(image.options)
            try host.setUp(image.sandbox)
            #expect(try host.ask(.status(path: "/etc/resolv.conf"))
                == .status(PathStatus(mode: 0o120777, size: 19, target: "../run/resolve/stub")))
            guard case .status(let found) = try host.ask(.status(path: "/../../data/file")) else { return #expect(Bool(false), "no status") }
            #expect(found == PathStatus(mode: 0o100644, size: 5, target: ""))
            guard case .failed(let failure) = try host.ask(.status(path: "/etc/nowhere")) else { return #expect(Bool(false), "a status") }
            #expect(failure.kind == .notFound)
        }
    }
}
