import Glibc
import LinuxSystem
import ProcessSupport
import Testing
import TestSupport

/// Runs svmm boot with arguments that must be refused, beside a console socket that must not be left behind.
struct Refusal {
    let directory = TemporaryDirectory()

    /// Checks the status, and that the one line on standard error begins with the pattern (glob(7)).
    func expect(
        _ arguments: [String], status: Int32 = 1, _ pattern: String, before: [String] = [],
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let names = directoryEntries(directory.path)
        let start = Clock.monotonicNanoseconds()
        let process = try ChildProcess(before + [Svmm.path, "boot"] + arguments)
        let finished = try Finished(process)
        let seconds = Double(Clock.monotonicNanoseconds() - start) / 1e9
        #expect(finished.end == .exited(status), sourceLocation: sourceLocation)
        let isRight = matches(finished.errorLines, ["svmm: \(pattern)*"])
        #expect(isRight, "\(finished.errors.prefix(1000)), expected \(pattern)", sourceLocation: sourceLocation)
        #expect(finished.output.isEmpty, sourceLocation: sourceLocation)
        #expect(seconds < 5, "took long", sourceLocation: sourceLocation)
        #expect(directoryEntries(directory.path) == names, "files are left behind", sourceLocation: sourceLocation)
    }

    /// As above, after `--kernel` with a good kernel and `--console` with a socket.
    func expect(
        with arguments: [String], status: Int32 = 1, _ pattern: String, before: [String] = [],
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let good = ["--kernel", try Svmm.payload("power"), "--console", "unix=\(directory.path("console"))"]
        try expect(good + arguments, status: status, pattern, before: before, sourceLocation: sourceLocation)
    }
}

extension SvmmBoot {
    @Suite("refuses files that cannot be what they are given for, in one line")
    struct BadFileTests {
        let refusal = Refusal()
        var directory: TemporaryDirectory { refusal.directory }

        static let kernels = "expected a Linux bzImage or an x86-64 ELF kernel"

        private func refuse(
            kernel path: String, _ pattern: String, sourceLocation: SourceLocation = #_sourceLocation
        ) throws {
            try refusal.expect(["--kernel", path, "--console", "unix=\(directory.path("console"))"],
                               "--kernel \(path): \(pattern)", sourceLocation: sourceLocation)
        }

        @Test("kernels that are not there or not files")
        func kernelKinds() throws {
            try refuse(kernel: directory.path("missing"), "No such file or directory")
            try refuse(kernel: directory.makeDirectory("directory"), "not a regular file, \(Self.kernels)")
            try refuse(kernel: directory.makeFIFO("fifo"), "not a regular file, \(Self.kernels)")
            try refuse(kernel: "/dev/zero", "not a regular file, \(Self.kernels)")
            try refuse(kernel: String(repeating: "x", count: 300), "File name too long")
            try refuse(kernel: "/proc/self/nothing/of/this", "No such file or directory")
        }

        @Test("kernels that are no kernels")
        func kernelFormats() throws {
            try refuse(kernel: try directory.file("empty", []), "an empty file, \(Self.kernels)")
            let script = Array("#!/bin/sh\nexit 0\n".utf8)
            try refuse(kernel: try directory.file("text", script), "no kernel header, \(Self.kernels)")
            try refuse(kernel: try directory.file("byte", [0x7F]), "no kernel header, \(Self.kernels)")
            try refuse(kernel: try directory.file("gzip", [0x1F, 0x8B, 8, 0] + [UInt8](repeating: 0, count: 100)),
                       "a gzip file (unpack it first), \(Self.kernels)")
            try refuse(kernel: "/bin/sh", "a program for Linux, \(Self.kernels)")
        }

        @Test("kernels for other machines")
        func otherMachines() throws {
            var image = [UInt8](repeating: 0, count: 4096)
            image.replaceSubrange(56..<60, with: Array("ARMd".utf8))
            try refuse(kernel: try directory.file("Image", image), "a kernel for arm64 (Image), expected one for x86")
            var elf = KernelFiles.elf()
            elf.put(UInt16(183), at: 18)  // EM_AARCH64
            try refuse(kernel: try directory.file("arm64", elf), "a kernel for arm64 (ELF), expected one for x86-64")
            elf.put(UInt16(3), at: 18)  // EM_386
            elf[4] = 1  // ELFCLASS32
            try refuse(kernel: try directory.file("i386", elf), "a kernel for 32-bit x86 (ELF), expected one for x86")
        }

        @Test("kernels that are damaged or cut short")
        func damagedKernels() throws {
            let elf = KernelFiles.elf()
            for count in [5, 63, 64 + 30, elf.count - 1] {
                let file = try directory.file("elf\(count)", Array(elf[..<count]))
                try refuse(kernel: file, "truncated: *the file has \(count)")
            }
            let payload = try #require(contents(ofSmallFile: try Svmm.payload("power")))
            let part = try directory.file("part", Array(payload[..<(payload.count / 8)]))
            try refuse(kernel: part, "truncated: a segment ends at byte")
            let image = KernelFiles.bzImage()
            for count in [0x210, image.count / 2, image.count - 16] {
                let file = try directory.file("bzImage\(count)", Array(image[..<count]))
                try refuse(kernel: file, "truncated: *the file has \(count)")
            }
            var old = image
            old.put(UInt16(0x0203), at: 0x206)
            let hint = "invalid kernel header: "
            try refuse(kernel: try directory.file("old", old), hint + "boot protocol 2.3, expected 2.06")
            var low = elf
            low.put(UInt64(0x1000), at: 64 + 24)  // p_paddr
            try refuse(kernel: try directory.file("low", low), hint + "*expected 1 MiB or more")
            var high = elf
            high.put(UInt64.max - 4096, at: 64 + 24)
            try refuse(kernel: try directory.file("high", high), "")
        }

        @Test("a real bzImage cut short", .enabled(if: getenv("SVMM_BZIMAGE") != nil, "set SVMM_BZIMAGE to a bzImage"))
        func truncatedBzImage() throws {
            let image = try #require(contents(ofSmallFile: String(cString: getenv("SVMM_BZIMAGE")), limit: 1 << 26))
            for count in [0x210, 4096, image.count / 2] {
                let file = try directory.file("bzImage\(count)", Array(image[..<count]))
                try refuse(kernel: file, "truncated: *the file has \(count)")
            }
        }

        @Test("a kernel that cannot be entered as asked, or needs more memory than there is")
        func unsuitableKernels() throws {
            let elf = try directory.file("elf", KernelFiles.elf())
            try refusal.expect(["--kernel", elf, "--protocol", "pvh"],
                               "--kernel \(elf): invalid kernel header: no PVH note")
            let image = try directory.file("bzImage", KernelFiles.bzImage())
            try refusal.expect(["--kernel", image, "--protocol", "pvh"],
                               "--kernel \(image): invalid kernel header: a bzImage has no PVH entry")
            try refusal.expect(with: ["--memory", "1M"], "--kernel *: the kernel needs RAM up to * MiB, "
                + "the guest has 1 MiB below 3 GiB; raise --memory")
        }

        @Test("initial RAM disks")
        func initrds() throws {
            func refuse(_ path: String, _ pattern: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
                try refusal.expect(with: ["--initrd", path], "--initrd \(path): \(pattern)",
                                   sourceLocation: sourceLocation)
            }
            try refuse(directory.path("missing"), "No such file or directory")
            try refuse(directory.makeDirectory("directory"), "not a regular file, expected a cpio archive")
            try refuse(directory.makeFIFO("fifo"), "not a regular file, expected a cpio archive")
            try refuse("/dev/zero", "not a regular file, expected a cpio archive")
            try refuse(try directory.file("empty", []), "empty, expected a cpio archive")
            try refuse(try directory.sparseFile("large", size: 600 << 20),
                       "600 MiB do not fit: * MiB of guest memory are free for it; raise --memory")
            try refuse(try directory.sparseFile("huge", size: 5 << 30), "5120 MiB do not fit")
        }

        @Test("disks")
        func disks() throws {
            func refuse(_ path: String, _ pattern: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
                for options in ["", ",ro"] {
                    try refusal.expect(with: ["--disk", path + options], "--disk \(path): \(pattern)",
                                       sourceLocation: sourceLocation)
                }
            }
            let expected = "expected a raw disk image or a block device"
            try refuse(directory.path("missing"), "No such file or directory")
            try refuse(directory.makeDirectory("directory"), "a directory, \(expected)")
            try refuse(directory.makeFIFO("fifo"), "a FIFO, \(expected)")
            try refuse("/dev/null", "a character device, \(expected)")
            try refuse(try directory.file("empty", []), "0 bytes long, expected a raw disk image of at least 512 bytes")
            try refuse(try directory.sparseFile("odd", size: 513),
                       "513 bytes long, expected a multiple of 512; extend it")
            // Not the first, but the one that is wrong is named.
            let good = try directory.sparseFile("good", size: 512)
            let missing = directory.path("missing")
            try refusal.expect(with: ["--disk", good, "--disk", missing], "--disk \(missing): No such file")
        }

        @Test("the same disk twice, unless both are read-only")
        func duplicates() throws {
            let disk = try directory.sparseFile("disk", size: 512)
            for pair in [[disk, disk], ["\(disk),ro", disk], [disk, "\(disk),ro"], [disk, directory.path("./disk")]] {
                try refusal.expect(with: ["--disk", pair[0], "--disk", pair[1]], "--disk *disk: in use")
            }
        }

        @Test("a disk that the user may not read or write", .needsUnprivilegedUser)
        func permissions() throws {
            let disk = try directory.sparseFile("disk", size: 512)
            let kernel = try Svmm.payload("power")
            let before = try #require(Requirement.unprivileged)
            #expect(chmod(directory.path, 0o755) == 0)
            for mode in [0o000, 0o444] as [mode_t] {
                #expect(chmod(disk, mode) == 0)
                try refusal.expect(["--kernel", kernel, "--disk", disk], "--disk \(disk): Permission denied",
                                   before: before)
            }
            #expect(chmod(disk, 0) == 0)
            try refusal.expect(["--kernel", kernel, "--disk", "\(disk),ro"], "--disk \(disk): Permission denied",
                               before: before)
            try refusal.expect(["--kernel", disk], "--kernel \(disk): Permission denied", before: before)
            try refusal.expect(["--kernel", kernel, "--initrd", disk], "--initrd \(disk): Permission denied",
                               before: before)
        }

        @Test("consoles", .needsKVM)
        func consoles() throws {
            let kernel = ["--kernel", try Svmm.payload("power")]
            func refuse(
                _ console: String, _ pattern: String, sourceLocation: SourceLocation = #_sourceLocation
            ) throws {
                try refusal.expect(kernel + ["--console", console], "--console \(console): \(pattern)",
                                   sourceLocation: sourceLocation)
            }
            let file = try directory.file("file", Array("precious".utf8))
            try refuse("unix=\(file)", "the path exists and is in use; remove it or choose another")
            #expect(directory.contents("file") == Array("precious".utf8))
            try refuse("unix=\(directory.makeDirectory("directory"))", "the path exists and is in use")
            try refuse("unix=\(directory.path("missing/socket"))", "No such file or directory")
            try refuse("unix=/" + String(repeating: "x", count: 107), "expected a path of 1 to 107 bytes")
            try refuse("file=\(directory.path)", "Is a directory")
            try refuse("file=\(directory.path("missing/file"))", "No such file or directory")
        }

        @Test("a console's file is not emptied for a machine that does not start")
        func consoleFileKept() throws {
            let file = try directory.file("file", Array("precious".utf8))
            try refusal.expect(["--kernel", "/dev/null", "--console", "file=\(file)"],
                               "--kernel /dev/null: not a regular file")
            #expect(directory.contents("file") == Array("precious".utf8))
        }
    }
}
