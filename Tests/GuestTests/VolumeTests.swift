import Glibc
import LinuxSystem
import ProcessSupport
import Testing

extension LinuxGuests {
    @Suite("containers with volumes", .needsImages)
    struct VolumeTests {
        /// `svmm volume …`, which must succeed; what it printed.
        @discardableResult
        private func volume(_ arguments: String..., sourceLocation: SourceLocation = #_sourceLocation) throws -> String {
            let outcome = try Self.outcome(arguments)
            #expect(outcome.status == 0, "svmm volume \(arguments): \(outcome.errors)", sourceLocation: sourceLocation)
            return outcome.text
        }

        private static func outcome(_ arguments: [String]) throws -> Container.Outcome {
            _ = Container.root
            return try Container.Outcome(try ChildProcess([Guest.svmm, "volume"] + arguments))
        }

        /// Removes a volume that a test has made, whatever became of it.
        private func remove(_ names: String...) { _ = try? Self.outcome(["rm", "-f"] + names) }

        private func blocks(_ path: String) throws -> UInt64 { try fileAttributes(at: path).blocks }

        @Test("what is written to a volume of either type is there for the next container, and cannot be written to with ro", arguments: ["ext4", "9p"])
        func kept(type: String) throws {
            let name = "kept-\(type)"
            defer { remove(name) }
            try volume("create", "-o", "type=\(type)", name)
            let first = try Container.run(["-v", "\(name):/data"], ["sh", "-c", "echo words >/data/file; chown 7:8 /data/file; chmod 640 /data/file"])
            #expect(first.status == 0, "\(first.errors)")
            let second = try Container.run(["-v", "\(name):/data:ro"],
                                           ["sh", "-c", "cat /data/file; stat -c '%u %g %a' /data/file; touch /data/x 2>/dev/null || echo no"])
            #expect(second.text == "words\n7 8 640\nno\n", "\(second.errors)")
        }

        @Test("a new volume gets what the image has, owner and mode included; one with nocopy does not", arguments: ["ext4", "9p"])
        func filled(type: String) throws {
            let (name, empty) = ("filled-\(type)", "empty-\(type)")
            defer { remove(name, empty) }
            let command = ["sh", "-c", "ls -A /etc | sort | head -n 500 | cksum; stat -c '%u %a' /etc; rm -f /etc/passwd"]
            let plain = try Container.run([], command)
            let option = "volume-opt=type=\(type)"
            let first = try Container.run(["--mount", "source=\(name),destination=/etc,\(option)"], command)
            #expect(first.status == 0 && !first.text.isEmpty && first.text.split(separator: "\n").last == plain.text.split(separator: "\n").last,
                    "\(first.errors)")
            // Not filled again: what the container has removed stays so.
            let second = try Container.run(["-v", "\(name):/etc"], ["sh", "-c", "[ -e /etc/passwd ] || echo gone; ls /etc | wc -l"])
            #expect(second.text.hasPrefix("gone\n") && !second.text.hasSuffix("\n0\n"), "\(second.errors)")
            let third = try Container.run(["--mount", "source=\(empty),destination=/usr,nocopy,\(option)"], ["/bin/sh", "-c", "echo /usr/*"])
            #expect(third.text == "/usr/*\n", "\(third.errors)")
        }

        @Test("a fill that was cut short is begun again")
        func halfFilled() throws {
            defer { remove("half") }
            let first = try Container.run(["-v", "half:/etc"], ["sh", "-c", "rm -rf /etc/*; echo changed >/etc/group"])
            #expect(first.status == 0, "\(first.errors)")
            // As a kill in the middle leaves it.
            let folder = Container.root + "/store/volumes/half"
            try renameFile(folder + "/used", to: folder + "/filling")
            let second = try Container.run(["-v", "half:/etc"], ["sh", "-c", "grep -c root /etc/group; [ -e /etc/passwd ] && echo whole"])
            #expect(second.text.hasSuffix("whole\n") && !second.text.hasPrefix("0\n"), "\(second.errors)")
        }

        @Test("a disk is one container's at a time: the error names it")
        func oneAtATime() throws {
            defer { remove("busy") }
            try Container.background(["-v", "busy:/data"], running: ["sleep", "1000"]) { name throws in
                let second = try Container.run(["-v", "busy:/data"], ["true"])
                #expect(second.status == 125)
                let holder = try Container.command("inspect", "--format", "{{.Name}}", name).prefix { $0 != "\n" }
                #expect(second.errors.contains("volume busy") && second.errors.contains(holder), "\(second.errors)")
                #expect(second.errors.split(separator: "\n").count == 1)
                let removal = try Self.outcome(["rm", "busy"])
                #expect(removal.status == 125 && removal.errors.contains(holder), "\(removal.errors)")
            }
        }

        @Test("a directory is many containers' at a time")
        func shared() throws {
            defer { remove("many") }
            try volume("create", "-o", "type=9p", "many")
            try Container.background(["-v", "many:/data"], running: ["sh", "-c", "echo here >/data/file; exec sleep 1000"]) { name throws in
                let second = try Container.run(["-v", "many:/data"], ["sh", "-c", "until [ -s /data/file ]; do sleep 0.1; done; cat /data/file; echo back >/data/other"])
                #expect(second.text == "here\n", "\(second.errors)")
                #expect(try Container.command("exec", name, "cat", "/data/other") == "back\n")
            }
        }

        @Test("a disk grows while it is used, and at the next start, and gives back what is removed")
        func size() throws {
            defer { remove("grows") }
            try volume("create", "-o", "size=64m", "grows")
            let path = Container.root + "/store/volumes/grows/disk.ext4"
            let kilobytes = "df -k /data | awk 'NR==2{print $2}'"
            try Container.background(["-v", "grows:/data"], running: ["sleep", "1000"]) { name throws in
                let before = try #require(Int(try Container.command("exec", name, "sh", "-c", kilobytes).filter { $0 != "\n" }))
                #expect(before < 64 << 10)
                try volume("resize", "-s", "1g", "grows")
                let after = try #require(Int(try Container.command("exec", name, "sh", "-c", kilobytes).filter { $0 != "\n" }))
                #expect(after > 900 << 10)
                try Container.command("exec", name, "sh", "-c", "dd if=/dev/urandom of=/data/big bs=1M count=100 2>/dev/null; sync")
                #expect(try blocks(path) * 512 > 100 << 20)
                try Container.command("exec", name, "sh", "-c", "rm /data/big; sync")
                try Container.command("stop", name)
            }
            #expect(try blocks(path) * 512 < 50 << 20)
            try volume("resize", "-s", "2g", "grows")
            let last = try Container.run(["-v", "grows:/data"], ["sh", "-c", kilobytes])
            #expect(Int(last.line) ?? 0 > 1900 << 10, "\(last.errors)")
        }

        @Test("a single file of the host is bound, and nothing beside it")
        func file() throws {
            let directory = Container.root + "/file-bind"
            try makeDirectory(directory, permissions: 0o755)
            try replaceFile(directory + "/one", with: Array("first\n".utf8), permissions: 0o644)
            try replaceFile(directory + "/two", with: Array("secret\n".utf8), permissions: 0o644)
            let outcome = try Container.run(["-v", "\(directory)/one:/etc/new/place", "-v", "\(directory)/two:/kept:ro"], ["sh", "-c", """
                cat /etc/new/place; ls /etc/new; echo second >/etc/new/place; mv /etc/new/place /etc/new/x 2>/dev/null || echo stays
                echo x 2>/dev/null >/kept || echo no
                """])
            #expect(outcome.text == "first\nplace\nstays\nno\n", "\(outcome.errors)")
            #expect(contents(ofSmallFile: directory + "/one") == Array("second\n".utf8))
            #expect(contents(ofSmallFile: directory + "/two") == Array("secret\n".utf8))
        }

        @Test("cp goes into a volume and out of it, of either type", arguments: ["ext4", "9p"])
        func copy(type: String) throws {
            let name = "copied-\(type)"
            defer { remove(name) }
            let (source, back) = (Container.root + "/cp-source-\(type)", Container.root + "/cp-back-\(type)")
            try replaceFile(source, with: Array("bytes\n".utf8), permissions: 0o600)
            try Container.background(["--mount", "source=\(name),dst=/data,volume-opt=type=\(type)"], running: ["sleep", "1000"]) { container throws in
                try Container.command("cp", source, "\(container):/data/file")
                #expect(try Container.command("exec", container, "cat", "/data/file") == "bytes\n")
                try Container.command("cp", "\(container):/data/file", back)
            }
            #expect(contents(ofSmallFile: back) == Array("bytes\n".utf8))
            let next = try Container.run(["-v", "\(name):/data"], ["cat", "/data/file"])
            #expect(next.text == "bytes\n", "\(next.errors)")
        }

        @Test("volumes without a name go with --rm, and with rm -v")
        func anonymous() throws {
            func count() throws -> Int { try volume("ls", "-q", "--filter", "anonymous=true").split(separator: "\n").count }
            let before = try count()
            let outcome = try Container.run(["-v", "/data"], ["sh", "-c", "grep -c ' /data ext4 ' /proc/mounts"])
            #expect(outcome.text == "1\n", "\(outcome.errors)")
            #expect(try count() == before)
            try Container.command("create", "--name", "anonymous", "-v", "/data", Container.busybox, "true")
            #expect(try count() == before + 1)
            try Container.command("rm", "-v", "anonymous")
            #expect(try count() == before)
        }
    }
}
