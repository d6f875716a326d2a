import ConformanceC
import Glibc

func addHoleCases(_ suite: inout Suite) {
    suite.check("a write past the end leaves zeros before it") {
        create("f", "abc")
        let file = openFile("f", O_RDWR)
        writeAll(file, [9], at: 100_000)
        same("size", status(file).st_size, 100_001)
        sameBytes("contents", read(file, at: 0, limit: 100_001),
                  Array("abc".utf8) + [UInt8](repeating: 0, count: 99_997) + [9])
    }
    suite.check("a hole takes no blocks") {
        let file = openFile("f", O_RDWR | O_CREAT)
        writeAll(file, [1], at: 64 << 20)
        holds("64 MiB of hole take less than 1 MiB", status(file).st_blocks < 2048)
    }
    for power in [31, 32, 33, 40] {
        suite.check("bytes on both sides of offset 2^\(power) come back") {
            let file = openFile("f", O_RDWR | O_CREAT)
            let offset = 1 << power
            let bytes = pattern(9000)
            let result = bytes.withUnsafeBytes { pwrite(file, $0.baseAddress, 9000, off_t(offset - 4500)) }
            supported("pwrite", unless: EFBIG, result: result)
            same("size", Int(status(file).st_size), offset + 4500)
            sameBytes("contents", read(file, at: offset - 4500, limit: 9001), bytes)
            sameBytes("hole", read(file, at: offset - 10_000, limit: 100), [UInt8](repeating: 0, count: 100))
            same("SEEK_END", Int(lseek(file, 0, SEEK_END)), offset + 4500)
        }
    }
    suite.check("SEEK_DATA and SEEK_HOLE find the data") {
        let file = openFile("f", O_RDWR | O_CREAT)
        writeAll(file, pattern(65536), at: 1 << 20)
        ok("ftruncate", ftruncate(file, 2 << 20))
        ok("fsync", fsync(file))
        let data = ok("SEEK_DATA", fc_seek_data(file, 0))
        // A file system may say that all is data.
        holds("data begins at 0 or in the last block before 1 MiB", data <= 1 << 20)
        let hole = ok("SEEK_HOLE", fc_seek_hole(file, 1 << 20))
        holds("a hole begins behind the data", hole >= (1 << 20) + 65536 && hole <= 2 << 20)
    }
    suite.check("SEEK_HOLE of a file without holes is its end") {
        create("f", pattern(8192))
        let file = openFile("f", O_RDONLY)
        same("SEEK_HOLE", fc_seek_hole(file, 0), 8192)
        same("SEEK_DATA", fc_seek_data(file, 100), 100)
    }
    suite.check("SEEK_DATA and SEEK_HOLE at the end find nothing") {
        create("f", pattern(8192))
        let file = openFile("f", O_RDONLY)
        refused(ENXIO, by: "SEEK_DATA", fc_seek_data(file, 8192))
        refused(ENXIO, by: "SEEK_HOLE", fc_seek_hole(file, 8192))
        refused(ENXIO, by: "SEEK_DATA past the end", fc_seek_data(file, 10_000))
    }
    suite.check("holes can be filled from the end to the start") {
        let file = openFile("f", O_RDWR | O_CREAT)
        let bytes = pattern(50_000)
        for place in stride(from: 49_000, through: 0, by: -1000) {
            writeAll(file, Array(bytes[place..<(place + 1000)]), at: place)
        }
        sameBytes("contents", contents("f"), bytes)
    }
    for (name, mode) in [("allocates", Int32(0)), ("allocates behind the end and keeps the size", 1),
                         ("punches a hole", 3), ("zeroes a range", 16)] {
        suite.check("fallocate \(name), or is refused") {
            var bytes = pattern(20_000)
            create("f", bytes)
            let file = openFile("f", O_RDWR)
            let offset = mode < 2 ? 20_000 : 5000
            supported("fallocate", unless: EOPNOTSUPP, result: fc_fallocate(file, mode, off_t(offset), 10_000))
            if mode == 0 { bytes += [UInt8](repeating: 0, count: 10_000) }
            if mode > 1 { bytes.replaceSubrange(5000..<15_000, with: [UInt8](repeating: 0, count: 10_000)) }
            sameBytes("contents", contents("f"), bytes)
        }
    }
    suite.check("posix_fallocate extends a file") {
        let file = openFile("f", O_RDWR | O_CREAT)
        // It writes to each block where the file system does not allocate.
        same("posix_fallocate", posix_fallocate(file, 0, 30_000), 0)
        same("size", status(file).st_size, 30_000)
    }
    suite.check("a write beyond the largest offset is refused") {
        let file = openFile("f", O_RDWR | O_CREAT)
        refused(EFBIG, EINVAL, by: "pwrite", pwrite(file, "xx", 2, off_t.max))
    }
}

func addTruncationCases(_ suite: inout Suite) {
    let sizes = [0, 1, 4095, 4096, 4097, 9999, 10_000, 10_001, 70_000, 600_000]
    for size in sizes {
        suite.check("truncate to \(size) cuts or extends with zeros") {
            let bytes = pattern(10_000)
            create("f", bytes)
            ok("truncate", truncate("f", off_t(size)))
            sameBytes("contents", contents("f"), Array((bytes + [UInt8](repeating: 0, count: 600_000))[..<size]))
        }
        suite.check("ftruncate to \(size) is seen through another descriptor") {
            let bytes = pattern(10_000)
            create("f", bytes)
            let other = openFile("f", O_RDONLY), file = openFile("f", O_WRONLY)
            same("size before", status(other).st_size, 10_000)
            ok("ftruncate", ftruncate(file, off_t(size)))
            same("size", Int(status(other).st_size), size)
            sameBytes("contents", read(other, at: 0, limit: 600_001),
                      Array((bytes + [UInt8](repeating: 0, count: 600_000))[..<size]))
        }
    }
    suite.check("what was cut off is zeros when the file grows again") {
        create("f", pattern(10_000))
        let file = openFile("f", O_RDWR)
        ok("ftruncate", ftruncate(file, 100))
        ok("ftruncate", ftruncate(file, 10_000))
        sameBytes("contents", read(file, at: 100, limit: 9900), [UInt8](repeating: 0, count: 9900))
    }
    suite.check("ftruncate leaves the offset, and a write there makes a hole") {
        create("f", "0123456789")
        let file = openFile("f", O_RDWR)
        ok("lseek", lseek(file, 8, SEEK_SET))
        ok("ftruncate", ftruncate(file, 2))
        writeText(file, "x")
        sameBytes("contents", contents("f"), [48, 49, 0, 0, 0, 0, 0, 0, 120])
    }
    suite.check("ftruncate works with a mode that forbids writing") {
        let file = openFile("f", O_RDWR | O_CREAT, 0o400)
        writeText(file, "0123")
        ok("ftruncate", ftruncate(file, 1))
        same("size", status(file).st_size, 1)
    }
    suite.check("truncate beyond 4 GiB") {
        create("f", "x")
        ok("truncate", truncate("f", (1 << 32) + 5))
        same("size", Int(status("f").st_size), (1 << 32) + 5)
    }
    suite.check("truncate frees blocks") {
        create("f", pattern(1 << 20))
        ok("truncate", truncate("f", 0))
        holds("no more than a block is left", status("f").st_blocks <= 8)
    }
    suite.check("truncate follows symbolic links") {
        create("f", "0123")
        ok("symlink", symlink("f", "link"))
        ok("truncate", truncate("link", 2))
        sameContents("f", "01")
    }
    suite.check("truncate refuses a directory") { refused(EISDIR, by: "truncate", truncate(".", 0)) }
    suite.check("truncate refuses a negative size") {
        create("f", "x")
        refused(EINVAL, by: "truncate", truncate("f", -1))
    }
    suite.check("truncate refuses a missing file") { refused(ENOENT, by: "truncate", truncate("no", 0)) }
    suite.check("truncate to the same size keeps the contents") {
        create("f", "0123")
        ok("truncate", truncate("f", 4))
        sameContents("f", "0123")
    }
    suite.check("a process that writes sees no old data after another one truncates") {
        create("f", pattern(5000))
        let file = openFile("f", O_RDWR)
        _ = read(file, at: 0, limit: 5000)
        Child { ok("truncate", truncate("f", 0)) }.finish()
        writeAll(file, [1], at: 4999)
        sameBytes("contents", read(file, at: 0, limit: 5001), [UInt8](repeating: 0, count: 4999) + [1])
    }
}
