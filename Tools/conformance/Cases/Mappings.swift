import ConformanceC
import Glibc

/// A shared mapping for reading and writing. File systems without a page cache of their own refuse it.
func sharedMapping(_ file: Int32, _ size: Int) -> UnsafeMutableRawPointer {
    guard let start = fc_map(size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0) else {
        let code = fc_errno()
        if code == EINVAL || code == ENODEV { notApplicable("a shared writable mapping: \(errorName(code))") }
        fail("mmap: expected success, found \(errorName(code))")
    }
    return start
}

private func mapping(_ file: Int32, _ size: Int, _ protection: Int32, _ flags: Int32, _ offset: Int = 0)
    -> UnsafeMutableRawPointer {
    guard let start = fc_map(size, protection, flags, file, off_t(offset)) else {
        fail("mmap: expected success, found \(errorName(fc_errno()))")
    }
    return start
}

private func bytes(_ start: UnsafeMutableRawPointer, _ range: Range<Int>) -> [UInt8] {
    Array(UnsafeRawBufferPointer(start: start + range.lowerBound, count: range.count))
}

func addMappingCases(_ suite: inout Suite) {
    addSharedMappingCases(&suite)
    for (name, flags) in [("private", MAP_PRIVATE), ("shared", MAP_SHARED)] {
        suite.check("a \(name) mapping for reading shows the file") {
            let data = pattern(100_001)
            create("f", data)
            let start = mapping(openFile("f", O_RDONLY), data.count, PROT_READ, flags)
            sameBytes("contents", bytes(start, 0..<data.count), data)
        }
        suite.check("a \(name) mapping can begin at any page") {
            let data = pattern(50_000)
            create("f", data)
            let start = mapping(openFile("f", O_RDONLY), 8192, PROT_READ, flags, 4096 * 5)
            sameBytes("contents", bytes(start, 0..<8192), Array(data[20_480..<28_672]))
        }
        suite.check("what is behind the end in a \(name) mapping's last page is zeros") {
            create("f", pattern(100))
            let start = mapping(openFile("f", O_RDONLY), 4096, PROT_READ, flags)
            sameBytes("contents", bytes(start, 100..<4096), [UInt8](repeating: 0, count: 3996))
        }
        suite.check("pages behind the end of the file of a \(name) mapping end in SIGBUS") {
            create("f", pattern(100))
            let start = mapping(openFile("f", O_RDONLY), 12_288, PROT_READ, flags)
            same("SIGBUS", fc_faults(start.assumingMemoryBound(to: UInt8.self) + 4096, 0), 1)
        }
        suite.check("a \(name) mapping outlives its descriptor") {
            create("f", pattern(10_000))
            let file = openFile("f", O_RDONLY)
            let start = mapping(file, 10_000, PROT_READ, flags)
            close(file)
            sameBytes("contents", bytes(start, 0..<10_000), pattern(10_000))
        }
    }
    suite.check("a private mapping's changes stay private") {
        create("f", "0123456789")
        let file = openFile("f", O_RDONLY)
        let start = mapping(file, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE)
        start.storeBytes(of: 0x78, toByteOffset: 3, as: UInt8.self)
        same("byte", start.load(fromByteOffset: 3, as: UInt8.self), 0x78)
        sameContents("f", "0123456789")
    }
    suite.check("a mapping of a directory is refused") {
        let file = openFile(".", O_RDONLY)
        let start = fc_map(4096, PROT_READ, MAP_PRIVATE, file, 0)
        refused(ENODEV, EACCES, by: "mmap", start == nil ? -1 : 0)
    }
    suite.check("a mapping through a descriptor for writing only is refused") {
        create("f", "x")
        let start = fc_map(4096, PROT_READ, MAP_PRIVATE, openFile("f", O_WRONLY), 0)
        refused(EACCES, by: "mmap", start == nil ? -1 : 0)
    }
    suite.check("a shared mapping for writing through a descriptor for reading is refused") {
        create("f", "x")
        let start = fc_map(4096, PROT_READ | PROT_WRITE, MAP_SHARED, openFile("f", O_RDONLY), 0)
        refused(EACCES, EINVAL, by: "mmap", start == nil ? -1 : 0)
    }
    suite.check("a new mapping shows what was written since the last one") {
        for round in 0..<5 {
            let data = pattern(10_000, seed: round)
            create("f", data)
            let start = mapping(openFile("f", O_RDONLY), data.count, PROT_READ, MAP_PRIVATE)
            sameBytes("contents", bytes(start, 0..<data.count), data)
            munmap(start, data.count)
        }
    }
    suite.check("a program on the file system can be run") {
        guard let source = fopen("/proc/self/exe", "r") else { notApplicable("no /proc") }
        fclose(source)
        create("program", contents("/proc/self/exe"), mode: 0o755)
        let child = Child {
            dup2(openFile("/dev/null", O_WRONLY), 1)
            let arguments = [strdup("program"), strdup("--list"), nil]
            execv("program", arguments)
            fail("execv: expected success, found \(errorName(fc_errno()))")
        }
        child.finish()
    }
    suite.check("a program that runs is not written to") {
        guard let source = fopen("/proc/self/exe", "r") else { notApplicable("no /proc") }
        fclose(source)
        create("program", contents("/proc/self/exe"), mode: 0o755)
        var ends: [Int32] = [0, 0]
        ok("pipe", pipe(&ends))
        let child = Child {
            dup2(ends[1], 1)
            let arguments = [strdup("program"), strdup("--list"), nil]
            // More than the pipe takes: it stays until it is read, or killed.
            ok("F_SETPIPE_SZ", fc_fcntl(1, 1031, 4096))
            execv("program", arguments)
            fail("execv: expected success, found \(errorName(fc_errno()))")
        }
        var byte: UInt8 = 0
        same("bytes of its output", read(ends[0], &byte, 1), 1)
        refused(ETXTBSY, by: "open", fc_open("program", O_WRONLY, 0))
        child.kill()
        close(openFile("program", O_WRONLY))
    }
}

private func addSharedMappingCases(_ suite: inout Suite) {
    suite.check("what is stored in a shared mapping is read after msync") {
        create("f", pattern(20_000))
        let file = openFile("f", O_RDWR)
        let start = sharedMapping(file, 20_000)
        memset(start + 5000, 0x55, 10_000)
        ok("msync", msync(start, 20_000, MS_SYNC))
        sameBytes("contents", read(file, at: 5000, limit: 10_000), [UInt8](repeating: 0x55, count: 10_000))
        sameBytes("by name", Array(contents("f")[4990..<5002]), Array(pattern(20_000)[4990..<5000]) + [0x55, 0x55])
    }
    suite.check("what is stored in a shared mapping is there after munmap and close") {
        create("f", pattern(20_000))
        let file = openFile("f", O_RDWR)
        let start = sharedMapping(file, 20_000)
        start.storeBytes(of: 1, toByteOffset: 19_999, as: UInt8.self)
        ok("munmap", munmap(start, 20_000))
        close(file)
        let found = contents("f")
        same("size", found.count, 20_000)
        same("last byte", found[19_999], 1)
    }
    suite.check("two shared mappings of a file are one memory") {
        create("f", pattern(8192))
        let first = sharedMapping(openFile("f", O_RDWR), 8192), second = sharedMapping(openFile("f", O_RDWR), 8192)
        first.storeBytes(of: 0x77, toByteOffset: 4097, as: UInt8.self)
        same("byte", second.load(fromByteOffset: 4097, as: UInt8.self), 0x77)
    }
    suite.check("a shared mapping is shared with a child process") {
        create("f", pattern(4096))
        let start = sharedMapping(openFile("f", O_RDWR), 4096)
        Child { start.storeBytes(of: 0x77, toByteOffset: 9, as: UInt8.self) }.finish()
        same("byte", start.load(fromByteOffset: 9, as: UInt8.self), 0x77)
    }
    suite.check("a mapped file's modification time changes with it") {
        create("f", pattern(4096))
        let before = status("f").modified
        waitForTick(after: before)
        let start = sharedMapping(openFile("f", O_RDWR), 4096)
        start.storeBytes(of: 0x77, toByteOffset: 9, as: UInt8.self)
        ok("msync", msync(start, 4096, MS_SYNC))
        holds("the modification time is later", status("f").modified > before)
    }
    suite.check("pages that a truncation takes from a mapping end in SIGBUS") {
        create("f", pattern(12_288))
        let file = openFile("f", O_RDWR)
        let start = sharedMapping(file, 12_288)
        start.storeBytes(of: 1, toByteOffset: 8192, as: UInt8.self)
        ok("ftruncate", ftruncate(file, 4096))
        same("SIGBUS", fc_faults(start.assumingMemoryBound(to: UInt8.self) + 8192, 0), 1)
        same("byte", start.load(fromByteOffset: 5, as: UInt8.self), pattern(12_288)[5])
    }
    suite.check("a mapping grows with its file") {
        create("f", pattern(4096))
        let file = openFile("f", O_RDWR)
        let start = sharedMapping(file, 8192)
        ok("ftruncate", ftruncate(file, 8192))
        start.storeBytes(of: 0x77, toByteOffset: 5000, as: UInt8.self)
        ok("msync", msync(start, 8192, MS_SYNC))
        sameBytes("contents", read(file, at: 4999, limit: 3), [0, 0x77, 0])
    }
    suite.check("a write by descriptor shows in a shared mapping") {
        create("f", pattern(8192))
        let file = openFile("f", O_RDWR)
        let start = sharedMapping(file, 8192)
        same("byte", start.load(fromByteOffset: 0, as: UInt8.self), pattern(1)[0])
        writeAll(file, [0x11, 0x22], at: 4095)
        same("byte", start.load(fromByteOffset: 4095, as: UInt8.self), 0x11)
        same("byte", start.load(fromByteOffset: 4096, as: UInt8.self), 0x22)
    }
    suite.check("a store to a shared mapping is read by descriptor at once") {
        create("f", pattern(8192))
        let file = openFile("f", O_RDWR)
        let start = sharedMapping(file, 8192)
        start.storeBytes(of: 0x66, toByteOffset: 100, as: UInt8.self)
        sameBytes("contents", read(file, at: 100, limit: 1), [0x66])
    }
    suite.check("a shared mapping of a whole megabyte is written back") {
        let file = openFile("f", O_RDWR | O_CREAT)
        ok("ftruncate", ftruncate(file, 1 << 20))
        let start = sharedMapping(file, 1 << 20)
        let data = pattern(1 << 20)
        data.withUnsafeBytes { start.copyMemory(from: $0.baseAddress!, byteCount: 1 << 20) }
        ok("munmap", munmap(start, 1 << 20))
        close(file)
        sameBytes("contents", contents("f"), data)
    }
}
