import ConformanceC
import Glibc

func addTransferCases(_ suite: inout Suite) {
    // Around pages, 9p messages and pipes.
    let sizes = [1, 511, 512, 4095, 4096, 4097, 65535, 65536, 65537, 131_072 + 3, 511_976, 512_000, 512_001, 1 << 20,
                 (1 << 20) + 1, 3_000_001]
    for size in sizes {
        suite.check("\(size) bytes come back as they were written") {
            let bytes = pattern(size)
            create("f", bytes)
            same("size", Int(status("f").st_size), size)
            sameBytes("contents", contents("f"), bytes)
        }
    }
    for (offset, size) in [(1, 1), (1, 4096), (4095, 2), (4097, 4096), (511_999, 3), (12_345, 600_000), (1_048_575, 70_001)] {
        suite.check("\(size) bytes written at offset \(offset) change nothing around them") {
            var bytes = pattern(1_200_000)
            create("f", bytes)
            let file = openFile("f", O_RDWR)
            let change = pattern(size, seed: 3)
            writeAll(file, change, at: offset)
            bytes.replaceSubrange(offset..<(offset + size), with: change)
            sameBytes("contents", read(file, at: 0, limit: bytes.count + 1), bytes)
            sameBytes("part", read(file, at: offset, limit: size), change)
            close(file)
        }
    }
    suite.check("read stops at the end of the file, and is 0 there") {
        create("f", "12345")
        let file = openFile("f", O_RDONLY)
        var buffer = [UInt8](repeating: 0, count: 100)
        same("first read", read(file, &buffer, 100), 5)
        same("second read", read(file, &buffer, 100), 0)
        same("read far behind the end", pread(file, &buffer, 100, 1 << 40), 0)
    }
    suite.check("a read of no bytes is 0") {
        create("f", "12345")
        let file = openFile("f", O_RDONLY)
        var byte: UInt8 = 0
        same("read", read(file, &byte, 0), 0)
    }
    suite.check("a write of no bytes changes nothing") {
        create("f", "12345")
        let file = openFile("f", O_WRONLY)
        same("write", write(file, "", 0), 0)
        same("pwrite", pwrite(file, "", 0, 100), 0)
        sameContents("f", "12345")
    }
    suite.check("read and write move one offset") {
        create("f", "0123456789")
        let file = openFile("f", O_RDWR)
        var buffer = [UInt8](repeating: 0, count: 3)
        same("read", read(file, &buffer, 3), 3)
        writeText(file, "xx")
        same("read", read(file, &buffer, 3), 3)
        sameBytes("read bytes", buffer, Array("567".utf8))
        sameContents("f", "012xx56789")
    }
    suite.check("pread and pwrite leave the offset") {
        create("f", "0123456789")
        let file = openFile("f", O_RDWR)
        ok("lseek", lseek(file, 4, SEEK_SET))
        writeAll(file, Array("ab".utf8), at: 8)
        _ = read(file, at: 0, limit: 3)
        same("offset", lseek(file, 0, SEEK_CUR), 4)
    }
    suite.check("descriptors of dup share the offset, those of open do not") {
        create("f", "0123456789")
        let file = openFile("f", O_RDONLY), other = openFile("f", O_RDONLY)
        let copy = ok("dup", dup(file))
        ok("lseek", lseek(file, 5, SEEK_SET))
        same("offset of the duplicate", lseek(copy, 0, SEEK_CUR), 5)
        same("offset of the other", lseek(other, 0, SEEK_CUR), 0)
    }
    suite.check("a child process shares the offset") {
        create("f", "0123456789")
        let file = openFile("f", O_RDONLY)
        Child {
            var byte: UInt8 = 0
            same("read", read(file, &byte, 1), 1)
        }.finish()
        same("offset", lseek(file, 0, SEEK_CUR), 1)
    }
    suite.check("lseek counts from the start, the offset and the end") {
        create("f", "0123456789")
        let file = openFile("f", O_RDONLY)
        same("SEEK_SET", lseek(file, 3, SEEK_SET), 3)
        same("SEEK_CUR", lseek(file, 4, SEEK_CUR), 7)
        same("SEEK_END", lseek(file, -1, SEEK_END), 9)
        same("past the end", lseek(file, 100, SEEK_END), 110)
        refused(EINVAL, by: "lseek before the start", lseek(file, -1, SEEK_SET))
        refused(EINVAL, by: "lseek with a whence that is none", lseek(file, 0, 77))
        same("offset", lseek(file, 0, SEEK_CUR), 110)
    }
    suite.check("lseek from the end follows another descriptor's writes") {
        create("f", "01")
        let file = openFile("f", O_RDONLY), other = openFile("f", O_WRONLY)
        writeAll(other, Array("23".utf8), at: 2)
        same("end", lseek(file, 0, SEEK_END), 4)
    }
    suite.check("negative offsets are refused") {
        create("f", "01")
        let file = openFile("f", O_RDWR)
        var byte: UInt8 = 0
        refused(EINVAL, by: "pread", pread(file, &byte, 1, -1))
        refused(EINVAL, by: "pwrite", pwrite(file, "x", 1, -1))
    }
    suite.check("readv fills its areas in order") {
        let bytes = pattern(10_000)
        create("f", bytes)
        let file = openFile("f", O_RDONLY)
        let sizes = [1, 4096, 0, 3, 5900]
        var memory = [UInt8](repeating: 0, count: 10_000)
        memory.withUnsafeMutableBytes { memory in
            var areas: [iovec] = []
            var place = 0
            for size in sizes {
                areas.append(iovec(iov_base: memory.baseAddress! + place, iov_len: size))
                place += size
            }
            same("readv", ok("readv", readv(file, areas, Int32(areas.count))), 10_000)
        }
        sameBytes("contents", memory, bytes)
    }
    suite.check("writev writes its areas in order") {
        var bytes = pattern(300_000)
        let file = openFile("f", O_RDWR | O_CREAT)
        bytes.withUnsafeMutableBytes { memory in
            let areas = (0..<300).map { iovec(iov_base: memory.baseAddress! + $0 * 1000, iov_len: 1000) }
            same("writev", ok("writev", writev(file, areas, 300)), 300_000)
        }
        sameBytes("contents", read(file, at: 0, limit: 300_001), bytes)
    }
    suite.check("preadv and pwritev keep the offset and meet at any place") {
        let file = openFile("f", O_RDWR | O_CREAT)
        var left = pattern(777), right = pattern(5000, seed: 5)
        left.withUnsafeMutableBytes { left in
            right.withUnsafeMutableBytes { right in
                let areas = [iovec(iov_base: left.baseAddress, iov_len: 777), iovec(iov_base: right.baseAddress, iov_len: 5000)]
                same("pwritev", ok("pwritev", pwritev(file, areas, 2, 1001)), 5777)
            }
        }
        same("offset", lseek(file, 0, SEEK_CUR), 0)
        var found = [UInt8](repeating: 0, count: 5777)
        found.withUnsafeMutableBytes { found in
            let areas = [iovec(iov_base: found.baseAddress, iov_len: 5000),
                         iovec(iov_base: found.baseAddress! + 5000, iov_len: 777)]
            same("preadv", ok("preadv", preadv(file, areas, 2, 1001)), 5777)
        }
        sameBytes("contents", found, left + right)
    }
    suite.check("a file can be copied to itself in overlapping steps") {
        var bytes = pattern(20_000)
        create("f", bytes)
        let file = openFile("f", O_RDWR)
        for step in 0..<10 {
            let part = read(file, at: step * 1000, limit: 1500)
            writeAll(file, part, at: step * 1000 + 700)
            bytes.replaceSubrange((step * 1000 + 700)..<(step * 1000 + 2200), with: part)
        }
        sameBytes("contents", contents("f"), bytes)
    }
    suite.check("what one descriptor writes another reads at once") {
        let writer = openFile("f", O_WRONLY | O_CREAT), reader = openFile("f", O_RDONLY)
        for number in 0..<20 {
            let bytes = pattern(5000, seed: number * 2 + 1)
            writeAll(writer, bytes, at: 0)
            sameBytes("contents", read(reader, at: 0, limit: 5000), bytes)
        }
    }
    suite.check("what one process writes another reads after it is told") {
        create("f")
        let gate = Gate(), back = Gate()
        let child = Child {
            let file = openFile("f", O_RDONLY)
            for number in 1...10 {
                gate.wait()
                sameBytes("contents", read(file, at: 0, limit: 10_000), pattern(1000 * number, seed: number))
                back.open()
            }
        }
        let file = openFile("f", O_WRONLY)
        for number in 1...10 {
            writeAll(file, pattern(1000 * number, seed: number), at: 0)
            gate.open()
            back.wait()
        }
        child.finish()
    }
    suite.check("stdio's lines come back") {
        guard let stream = fopen("f", "w") else { fail("fopen: \(errorName(fc_errno()))") }
        for number in 0..<5000 { fputs("line \(number)\n", stream) }
        same("fclose", fclose(stream), 0)
        let text = String(decoding: contents("f"), as: UTF8.self)
        same("lines", text.utf8.count { $0 == 10 }, 5000)
    }
    suite.check("read of a directory is refused") {
        let file = openFile(".", O_RDONLY)
        var byte: UInt8 = 0
        refused(EISDIR, by: "read", read(file, &byte, 1))
        refused(EISDIR, by: "pread", pread(file, &byte, 1, 0))
    }
    suite.check("a bad address is refused, and the file stays") {
        create("f", "0123456789")
        let file = openFile("f", O_RDWR)
        guard let hole = fc_map(4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) else { fail("mmap") }
        refused(EFAULT, by: "read", read(file, hole, 10))
        refused(EFAULT, by: "write", write(file, hole, 10))
        sameContents("f", "0123456789")
    }
    suite.check("sendfile copies from a file to a file") {
        let bytes = pattern(300_001)
        create("f", bytes)
        let from = openFile("f", O_RDONLY), to = openFile("g", O_WRONLY | O_CREAT)
        var offset: off_t = 1
        var done = 0
        while done < 300_000 {
            let count = ok("sendfile", sendfile(to, from, &offset, 300_000 - done))
            if count == 0 { fail("sendfile: expected more, found 0 after \(done)") }
            done += count
        }
        sameBytes("contents", contents("g"), Array(bytes[1...]))
        same("offset", lseek(from, 0, SEEK_CUR), 0)
    }
    suite.check("copy_file_range copies a range, or is refused") {
        let bytes = pattern(200_000)
        create("f", bytes)
        let from = openFile("f", O_RDONLY), to = openFile("g", O_RDWR | O_CREAT)
        var input: off_t = 1000, output: off_t = 10
        var done = 0
        while done < 150_000 {
            let count = supported("copy_file_range", unless: EOPNOTSUPP, EXDEV, ENOSYS,
                                  result: fc_copy_file_range(from, &input, to, &output, 150_000 - done))
            if count == 0 { fail("copy_file_range: expected more, found 0 after \(done)") }
            done += count
        }
        sameBytes("contents", read(to, at: 10, limit: 150_001), Array(bytes[1000..<151_000]))
        same("input offset", input, 151_000)
    }
    suite.check("copy_file_range at the end of its input is 0, or is refused") {
        create("f", "abc")
        let from = openFile("f", O_RDONLY), to = openFile("g", O_RDWR | O_CREAT)
        var input: off_t = 3, output: off_t = 0
        same("count", supported("copy_file_range", unless: EOPNOTSUPP, EXDEV, ENOSYS,
                                result: fc_copy_file_range(from, &input, to, &output, 10)), 0)
    }
    suite.check("copy_file_range to a descriptor for reading is refused") {
        create("f", "abc")
        let from = openFile("f", O_RDONLY), to = openFile("f", O_RDONLY)
        var input: off_t = 0, output: off_t = 100
        refused(EBADF, by: "copy_file_range", fc_copy_file_range(from, &input, to, &output, 10))
    }
}
