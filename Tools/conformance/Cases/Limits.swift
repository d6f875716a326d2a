import ConformanceC
import Glibc

func addLimitCases(_ suite: inout Suite) {
    suite.check("1,000 files are open at once") {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(7), &limit)  // RLIMIT_NOFILE
        if limit.rlim_cur < 1100 {
            limit.rlim_cur = min(limit.rlim_max, 4096)
            setrlimit(__rlimit_resource_t(7), &limit)
        }
        if limit.rlim_cur < 1100 { notApplicable("the process may not have as many") }
        var files: [Int32] = []
        for number in 0..<1000 {
            let file = openFile("f\(number)", O_RDWR | O_CREAT)
            writeText(file, "file \(number)")
            files.append(file)
        }
        for (number, file) in files.enumerated() {
            sameBytes("contents", read(file, at: 0, limit: 100), Array("file \(number)".utf8))
        }
        for file in files { ok("close", close(file)) }
    }
    suite.check("one file is open 200 times") {
        create("f", "data")
        let files = (0..<200).map { _ in openFile("f", O_RDONLY) }
        remove("f")
        for file in files {
            sameBytes("contents", read(file, at: 0, limit: 10), Array("data".utf8))
            close(file)
        }
    }
    suite.check("a tree deeper than PATH_MAX can be made and used step by step") {
        var directory = openFile(".", O_RDONLY | O_DIRECTORY)
        let name = String(repeating: "d", count: 200)
        for _ in 0..<25 {
            ok("mkdirat", mkdirat(directory, name, 0o755))
            let next = ok("openat", fc_openat(directory, name, O_RDONLY | O_DIRECTORY, 0))
            close(directory)
            directory = next
        }
        let file = ok("openat", fc_openat(directory, "f", O_RDWR | O_CREAT, 0o644))
        writeText(file, "deep")
        sameBytes("contents", read(file, at: 0, limit: 10), Array("deep".utf8))
        ok("fchdir", fchdir(directory))
        sameContents("f", "deep")
        for _ in 0..<25 { ok("chdir", chdir("..")) }
        same("entries", names(), [name])
    }
    suite.check("a path of 50 directories is walked") {
        var path = ""
        for number in 0..<50 {
            path += "d\(number)/"
            makeDirectory(path)
        }
        create(path + "f", "deep")
        sameContents(path + "f", "deep")
        ok("rename", rename("d0", "other"))
        isMissing("d0")
        let moved = "other" + path.dropFirst(2) + "f"
        sameContents(moved, "deep")
    }
    suite.check("300 links of one file") {
        create("f")
        for number in 0..<299 { ok("link", link("f", "l\(number)")) }
        same("links", status("f").st_nlink, 300)
    }
    suite.check("a file of 16 MiB is written and read in pieces of odd sizes") {
        let data = pattern(1_000_003)
        let file = openFile("f", O_RDWR | O_CREAT)
        for _ in 0..<16 { writeAll(file, data) }
        same("size", Int(status(file).st_size), 16_000_048)
        for number in 0..<16 { sameBytes("piece \(number)", read(file, at: number * 1_000_003, limit: 1_000_003), data) }
    }
    suite.check("a program's limit of file size is kept") {
        Child {
            signal(SIGXFSZ, SIG_IGN)
            var limit = rlimit(rlim_cur: 1000, rlim_max: 1000)
            ok("setrlimit", setrlimit(__rlimit_resource_t(1), &limit))  // RLIMIT_FSIZE
            let file = openFile("f", O_WRONLY | O_CREAT)
            same("bytes written", write(file, pattern(2000), 2000), 1000)
            refused(EFBIG, by: "write", write(file, "x", 1))
        }.finish()
        same("size", status("f").st_size, 1000)
    }
}

func addConcurrencyCases(_ suite: inout Suite) {
    suite.check("four processes write their parts of one file") {
        create("f")
        let children = (0..<4).map { number in
            Child {
                let file = openFile("f", O_WRONLY)
                for piece in 0..<25 {
                    writeAll(file, [UInt8](repeating: UInt8(number + 1), count: 1000), at: (piece * 4 + number) * 1000)
                }
            }
        }
        for child in children { child.finish() }
        let found = contents("f")
        same("size", found.count, 100_000)
        for place in stride(from: 0, to: 100_000, by: 500) where found[place] != UInt8(place / 1000 % 4 + 1) {
            fail("byte \(place): expected \(place / 1000 % 4 + 1), found \(found[place])")
        }
    }
    suite.check("four processes append, and no line is lost or torn") {
        create("f")
        let children = (0..<4).map { number in
            Child {
                let file = openFile("f", O_WRONLY | O_APPEND)
                for line in 0..<50 { writeText(file, "process \(number) line \(line) \(String(repeating: "x", count: 50))\n") }
            }
        }
        for child in children { child.finish() }
        let lines = String(decoding: contents("f"), as: UTF8.self).split(separator: "\n")
        same("lines", lines.count, 200)
        same("different lines", Set(lines).count, 200)
        holds("all end as written", lines.allSatisfy { $0.hasSuffix(" " + String(repeating: "x", count: 50)) })
    }
    suite.check("four processes make and remove files in one directory") {
        let children = (0..<4).map { number in
            Child {
                for round in 0..<50 {
                    create("f\(number)-\(round)", "data")
                    if round % 2 == 0 { remove("f\(number)-\(round)") }
                }
            }
        }
        for child in children { child.finish() }
        same("entries", names().count, 100)
    }
    suite.check("four processes rename over one name, and it is always one of theirs") {
        create("f", "start")
        let children = (0..<4).map { number in
            Child {
                for _ in 0..<25 {
                    create("new-\(number)", "process \(number)")
                    ok("rename", rename("new-\(number)", "f"))
                }
            }
        }
        for child in children { child.finish() }
        same("entries", names(), ["f"])
        holds("one of theirs", contents("f").starts(with: Array("process ".utf8)))
    }
    suite.check("a reader sees a growing file grow, and no bytes that were never written") {
        create("f")
        let child = Child {
            let file = openFile("f", O_WRONLY | O_APPEND)
            for _ in 0..<100 { writeAll(file, [UInt8](repeating: 7, count: 997)) }
        }
        let file = openFile("f", O_RDONLY)
        var size = 0
        while size < 99_700 {
            let found = read(file, at: 0, limit: 100_000)
            holds("it does not shrink", found.count >= size)
            holds("all bytes are 7", found.allSatisfy { $0 == 7 })
            size = found.count
        }
        child.finish()
    }
    suite.check("mkdir lets one of several processes succeed") {
        let children = (0..<4).map { number in
            Child {
                for round in 0..<20 {
                    if mkdir("d\(round)", 0o755) == 0 { create("won-\(round)-\(number)") } else { same("errno", fc_errno(), EEXIST) }
                }
            }
        }
        for child in children { child.finish() }
        same("winners", names().filter { $0.hasPrefix("won") }.count, 20)
    }
    suite.check("link lets one of several processes succeed") {
        let children = (0..<4).map { number in
            Child {
                create("mine-\(number)")
                for round in 0..<20 {
                    if link("mine-\(number)", "lock-\(round)") != 0 { same("errno", fc_errno(), EEXIST) } else { create("won-\(round)-\(number)") }
                }
            }
        }
        for child in children { child.finish() }
        same("winners", names().filter { $0.hasPrefix("won") }.count, 20)
    }
    suite.check("a tree is made by one process and removed by another") {
        for round in 0..<5 {
            Child {
                makeDirectory("t")
                for number in 0..<10 {
                    makeDirectory("t/d\(number)")
                    create("t/d\(number)/f", "data")
                }
            }.finish()
            Child { holds("round \(round) is removed", removeTree("t")) }.finish()
            same("entries", names(), [])
        }
    }
}
