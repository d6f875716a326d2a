import LinuxSystem
import ProcessSupport
import Testing
import TestSupport

extension SvmmBoot {
    @Suite("refuses wrong usage in one line, with status 2")
    struct BadOptionTests {
        let refusal = Refusal()

        @Test("values that an option cannot have", arguments: [
            ("--memory", ["0", "3", "1K", "129", "1023K", "65G", "2T", "18446744073709551615G",
                          "99999999999999999999", "garbage", "M", "1.5G", "1 G", "1MB", "-1", "4097K", "٣M"],
             "1M to 64G"),
            ("--cpus", ["0", "65", "-1", "abc", "1.0", "0x2", "99999999999999999999"], "1 to 64"),
            ("--grace", ["-1", "nan", "inf", "-inf", "1e300", "31536001", "abc", "-0.001"], "0*to 31536000*seconds"),
            ("--on-reboot", ["stop", "EXIT"], "exit or restart"),
            ("--protocol", ["efi"], "auto, linux or pvh"),
            ("--console", ["pty", "file=", "unix=", "file", "stdout"], "stdio, file=PATH, unix=PATH or none"),
        ] as [(String, [String], String)])
        func values(option: String, values: [String], expected: String) throws {
            for value in values + [""] {
                try refusal.expect(with: ["\(option)=\(value)"], status: 2,
                                   "The value '\(value)' is invalid for '\(option) *': expected \(expected)")
            }
        }

        @Test("a value that begins with a dash, apart from its option, is none")
        func missingValues() throws {
            for option in ["--memory", "--cpus", "--grace", "--on-reboot", "--protocol", "--console", "--disk"] {
                for arguments in [[option, "-1"], [option, "--dry-run"], [option]] {
                    try refusal.expect(with: arguments, status: 2,
                                       "Missing value for '\(option) *'; see svmm boot --help")
                }
            }
        }

        @Test("disk options", arguments: [
            ("disk,foo", "expected ro or one of * after the path, found 'foo'"),
            ("disk,", "expected ro or one of * after the path, found ''"),
            ("disk,RO", "expected ro or one of * after the path, found 'RO'"), (",ro", "expected PATH"),
            ("disk,serial=", "expected a serial of 1 to 20 printable ASCII characters"),
            ("disk,serial=123456789012345678901", "expected a serial of 1 to 20"),
            ("disk,serial=ä", "expected a serial of 1 to 20"),
            ("disk,format=qcow2", "expected format=raw, found 'qcow2'"),
            ("disk,size=100", "expected a size of 512 bytes or more, a multiple of 512*found '100'"),
            ("disk,cache=fast", "expected cache=writeback|writethrough|none, found 'fast'"),
            ("disk,engine=aio", "expected engine=auto|io_uring|threads, found 'aio'"),
            ("disk,queues=17", "expected 1 to 16 queues"), ("disk,iops=0", "expected iops= of 1 to 1T*found '0'"),
            ("disk,iops-burst=5", "expected iops= with iops-burst="), ("disk,ro,ro", "expected ro once"),
        ])
        func diskOptions(option: String, pattern: String) throws {
            try refusal.expect(with: ["--disk", option], status: 2,
                               "The value '\(option)' is invalid for '--disk *': \(pattern)")
        }

        @Test("options that are not there, or lack something")
        func options() throws {
            try refusal.expect([], status: 2, "Missing expected argument '--kernel <path>'; see svmm boot")
            try refusal.expect(["--kernel"], status: 2, "Missing value for '--kernel <path>'")
            try refusal.expect(with: ["--nonsense"], status: 2, "Unknown option '--nonsense'")
            try refusal.expect(with: ["-x"], status: 2, "Unknown option '-x'")
            try refusal.expect(with: ["extra"], status: 2, "Unexpected argument 'extra'")
            // The next word is not taken for the value.
            try refusal.expect(with: ["--disk=", "disk"], status: 2, "The value '' is invalid for '--disk *'")
            try refusal.expect(with: ["--dry-run=yes"], status: 2, "*--dry-run")
        }

        @Test("more disks than there are slots", arguments: [19, 64, 65, 300])
        func tooManyDisks(count: Int) throws {
            let disk = try refusal.directory.sparseFile("disk", size: 512)
            try refusal.expect(with: (0..<count).flatMap { _ in ["--disk", "\(disk),ro"] }, status: 2,
                               "--disk given \(count) times*: \(count + 2) devices with the machine's own, expected at most 19")
        }

        @Test("kernel parameters that are too long", arguments: [2048, 65_536, 70_000, 131_000])
        func longParameters(count: Int) throws {
            try refusal.expect(with: ["--cmdline", String(repeating: "x", count: count)],
                               "--cmdline: * bytes with svmm's own parameters, the kernel takes at most 2047")
        }

        @Test("paths that are too long", arguments: ["--kernel", "--initrd", "--disk"])
        func longPaths(option: String) throws {
            let path = String(repeating: "x", count: 5000)
            let kernel = option == "--kernel" ? [] : ["--kernel", try Svmm.payload("power")]
            try refusal.expect(kernel + [option, path], "\(option) \(path): File name too long")
        }

        @Test("as much as fits is not too long")
        func fittingParameters() throws {
            let plan = try Svmm.run("power", "", ["--dry-run"])
            let line = try #require(plan.lines.last)
            let room = 2047 - (line.utf8.count - "command line: ".utf8.count) - " ".utf8.count
            let words = String(repeating: "x", count: room)
            #expect(try Svmm.run("power", words, ["--dry-run"]).lines.last?.hasSuffix(" " + words) == true)
            try refusal.expect(with: ["--cmdline", words + "x"], "--cmdline: 2048 bytes with svmm's own parameters")
        }

        @Test("what only svmm may call", arguments: [
            [], ["--help"], ["--description"], ["--description", "0"], ["--description", "abc"], ["--description", "9"],
        ])
        func monitor(arguments: [String]) throws {
            let finished = try Finished(ChildProcess(["\(Svmm.folder)/svmm-vmm"] + arguments))
            #expect(finished.end == .exited(2))
            #expect(finished.errorLines.count == 1, "\(finished.errors)")
            #expect(finished.output.isEmpty)
        }
    }

    @Suite("says what it is and what it would do")
    struct InformationTests {
        static let options = [
            "--kernel", "--initrd", "--disk", "--cpus", "--memory", "--cmdline", "--console", "--grace", "--on-reboot",
            "--protocol", "--software-kvm", "--dry-run", "--version", "--help",
        ]

        @Test("--help names every option, and every exit status")
        func help() throws {
            for arguments in [["boot", "--help"], ["boot", "-h"], ["help", "boot"]] {
                let finished = try Finished(ChildProcess([Svmm.path] + arguments))
                #expect(finished.end == .exited(0))
                #expect(finished.errors.isEmpty)
                let text = String(decoding: finished.output, as: UTF8.self)
                for option in Self.options {
                    let starts = ["  \(option) ", "  -h, \(option) "]
                    let isNamed = finished.lines.contains { line in starts.contains { line.hasPrefix($0) } }
                    #expect(isNamed, "\(option)")
                }
                for status in ["0", "1", "2", "10", "11", "12", "13", "128+n"] {
                    let words = text.split { " \n:;.,".contains($0) }
                    #expect(words.contains(Substring(status)), "\(status)")
                }
                #expect(finished.lines.allSatisfy { $0.count <= 80 || $0.hasPrefix("USAGE:") })
            }
            let finished = try Finished(ChildProcess([Svmm.path, "--help"]))
            #expect(finished.end == .exited(0))
            #expect(finished.lines.contains { $0.hasPrefix("  boot ") })
        }

        @Test("--version prints one line")
        func version() throws {
            for arguments in [["--version"], ["boot", "--version"]] {
                let finished = try Finished(ChildProcess([Svmm.path] + arguments))
                #expect(finished.end == .exited(0))
                #expect(matches(finished.lines, ["svmm [0-9]*.[0-9]*.[0-9]*"]))
                #expect(finished.errors.isEmpty)
            }
        }

        @Test("--dry-run prints the plan and starts nothing")
        func dryRun() throws {
            let directory = TemporaryDirectory()
            let disk = try directory.sparseFile("disk", size: 1 << 20)
            let initrd = try directory.file("initrd", [UInt8](repeating: 1, count: 5000))
            let kernel = try Svmm.payload("power")
            let socket = directory.path("console")
            let finished = try Svmm.run("power", "quiet a=b", [
                "--disk", "\(disk),ro,serial=S", "--initrd", initrd, "--cpus", "3", "--memory", "4G",
                "--console", "unix=\(socket)", "--protocol", "linux", "--dry-run",
            ])
            #expect(finished.end == .exited(0))
            #expect(finished.errors.isEmpty)
            #expect(matches(finished.lines, [
                "kernel: \(kernel) (ELF)", "entry: 0x* (Linux 64-bit)", "kernel memory: 0x200000-0x*",
                "initrd: \(initrd) at 0xbfffe000-0xbffff387", "cpus: 3", "memory: 4096 MiB", "ram: 0x0-0xbfffffff",
                "ram: 0x100000000-0x13fffffff", "disk: \(disk) (1048576 bytes, read-only, serial S)",
                "console: unix=\(socket)", "balloon: on",
                "command line: console=ttyS0 panic=-1 reboot=panic_warm virtio_mmio.device=* virtio_mmio.device=* "
                    + "virtio_mmio.device=* *a=b",
            ]), "\(finished.lines)")
            #expect(directoryEntries(directory.path) == ["disk", "initrd"])
        }

        @Test("--dry-run checks what a start would check")
        func dryRunChecks() throws {
            try Refusal().expect(["--kernel", "/dev/null", "--dry-run"], "--kernel /dev/null: not a regular file")
            try Refusal().expect(with: ["--disk", "/dev/null", "--dry-run"], "--disk /dev/null: a character device")
        }
    }
}
