import ConformanceC
import Glibc

private func makeFiles(_ count: Int) {
    for number in 0..<count { close(openFile(entryName(number), O_WRONLY | O_CREAT | O_EXCL)) }
}

/// Long, so that a few hundred fill more than one of the kernel's, and of 9p's, buffers.
private func entryName(_ number: Int) -> String {
    "entry-\(number)-" + String(repeating: "e", count: 235)
}

private func openDirectory(_ path: String = ".") -> OpaquePointer {
    guard let directory = opendir(path) else { fail("opendir: expected success, found \(errorName(fc_errno()))") }
    return directory
}

/// Whether each of the names comes exactly once.
private func eachOnce(_ entries: [Entry], _ wanted: [String]) {
    var counts: [String: Int] = [:]
    for entry in entries { counts[entry.text, default: 0] += 1 }
    for name in wanted where counts[name] != 1 { fail("\(name): expected once, found \(counts[name] ?? 0) times") }
}

func addListingCases(_ suite: inout Suite, entryCount: Int) {
    addCookieCases(&suite)
    addChangingListingCases(&suite)
    suite.check("'.' and '..' are there, once each") {
        makeFiles(3)
        eachOnce(entries(), [".", "..", entryName(0), entryName(1), entryName(2)])
    }
    suite.check("'.' and '..' have the right inode numbers") {
        makeDirectory("d")
        let found = entries("d")
        same("inode of .", found.first { $0.text == "." }?.inode, UInt64(status("d").st_ino))
        same("inode of ..", found.first { $0.text == ".." }?.inode, UInt64(status(".").st_ino))
    }
    suite.check("inode numbers are those of stat") {
        makeFiles(50)
        for entry in entries() where entry.text.hasPrefix("entry") {
            same("inode of \(entry.text)", entry.inode, UInt64(status(entry.text).st_ino))
        }
    }
    suite.check("types are those of stat, or unknown") {
        create("file")
        makeDirectory("dir")
        ok("symlink", symlink("x", "link"))
        _ = mkfifo("fifo", 0o600)
        _ = mknod("socket", S_IFSOCK | 0o600, 0)
        for entry in entries() where entry.type != 0 {
            same("type of \(entry.text)", UInt32(entry.type) << 12, kind(status(entry.text)))
        }
    }
    suite.check("inode numbers of many files differ") {
        makeFiles(150)
        same("inodes", Set(entries().filter { $0.text.hasPrefix("entry") }.map(\.inode)).count, 150)
    }
    suite.check("\(entryCount) entries are all there, once each") {
        makeFiles(entryCount)
        eachOnce(entries(), (0..<entryCount).map { entryName($0) } + [".", ".."])
    }
    suite.check("entries of 255 bytes are all there") {
        let wanted = (0..<100).map { number -> String in
            let digits = String(number)
            return String(repeating: "n", count: 255 - digits.utf8.count) + digits
        }
        for name in wanted { create(name) }
        eachOnce(entries(), wanted)
    }
    suite.check("entries of all lengths are all there") {
        let wanted = stride(from: 1, through: 255, by: 2).map { String(repeating: "x", count: $0) }
        for name in wanted { create(name) }
        eachOnce(entries(), wanted)
    }
    suite.check("opendir refuses a file, and nothing") {
        create("f")
        refused(ENOTDIR, by: "opendir", opendir("f") == nil ? -1 : 0)
        refused(ENOENT, by: "opendir", opendir("no") == nil ? -1 : 0)
    }
    suite.check("an empty directory has two entries") {
        makeDirectory("d")
        same("entries", entries("d").count, 2)
    }
    suite.check("a directory with mode 0 cannot be listed by another user") {
        if geteuid() != 0 { notApplicable("needs root") }
        makeDirectory("d", 0)
        asUser(1000) { refused(EACCES, by: "opendir", opendir("d") == nil ? -1 : 0) }
    }
    suite.check("a directory of directories lists them") {
        for number in 0..<40 { makeDirectory("d\(number)") }
        let found = entries()
        eachOnce(found, (0..<40).map { "d\($0)" })
        same("types", found.filter { $0.type == 4 || $0.type == 0 }.count, 42)
    }
    suite.check("two streams of one directory do not disturb each other") {
        makeFiles(280)
        let first = openDirectory(), second = openDirectory()
        var left: [Entry] = [], right: [Entry] = []
        var isLeftOpen = true, isRightOpen = true
        while isLeftOpen || isRightOpen {
            if isLeftOpen, let entry = readdir(first) { left.append(Entry(entry)) } else { isLeftOpen = false }
            for _ in 0..<3 {
                if isRightOpen, let entry = readdir(second) { right.append(Entry(entry)) } else { isRightOpen = false }
            }
        }
        let wanted = (0..<280).map { entryName($0) }
        eachOnce(left, wanted)
        eachOnce(right, wanted)
    }
}

private func addCookieCases(_ suite: inout Suite) {
    suite.check("rewinddir lists from the start, with what is new") {
        makeFiles(20)
        let directory = openDirectory()
        _ = rest(of: directory)
        create("new")
        remove(entryName(3))
        rewinddir(directory)
        let found = rest(of: directory)
        eachOnce(found, (0..<20).filter { $0 != 3 }.map { entryName($0) } + ["new"])
        holds("the removed entry is gone", !found.contains { $0.text == entryName(3) })
    }
    suite.check("rewinddir in the middle lists all") {
        makeFiles(150)
        let directory = openDirectory()
        for _ in 0..<75 { _ = readdir(directory) }
        rewinddir(directory)
        eachOnce(rest(of: directory), (0..<150).map { entryName($0) })
    }
    suite.check("seekdir goes back to every place that telldir told") {
        makeFiles(150)
        let directory = openDirectory()
        var places: [(Int, String)] = []
        while true {
            let place = telldir(directory)
            guard let entry = readdir(directory) else { break }
            places.append((place, Entry(entry).text))
        }
        for (place, name) in places.reversed() {
            seekdir(directory, place)
            guard let entry = readdir(directory) else { fail("no entry at the place of \(name)") }
            same("entry", Entry(entry).text, name)
        }
    }
    suite.check("a place stays good when entries before it go") {
        if isMemoryFileSystem() { notApplicable("in memory, a place is the count of entries before it") }
        makeFiles(150)
        let directory = openDirectory()
        var before: [String] = [], after: [String] = []
        for _ in 0..<100 { before.append(Entry(readdir(directory)).text) }
        let place = telldir(directory)
        after = rest(of: directory).map(\.text)
        for name in before where name.hasPrefix("entry") { remove(name) }
        seekdir(directory, place)
        same("entries", rest(of: directory).map(\.text), after)
    }
    suite.check("a place is good in another stream of the directory") {
        makeFiles(150)
        let first = openDirectory(), second = openDirectory()
        for _ in 0..<100 { _ = readdir(first) }
        let place = telldir(first)
        seekdir(second, place)
        same("entries", rest(of: second).map(\.text), rest(of: first).map(\.text))
    }
    suite.check("seekdir to 0 is the start") {
        makeFiles(10)
        let directory = openDirectory()
        let start = telldir(directory)
        let all = rest(of: directory).map(\.text)
        seekdir(directory, start)
        same("entries", rest(of: directory).map(\.text), all)
    }
}

/// tmpfs, as to statfs(2).
func isMemoryFileSystem() -> Bool {
    var found = statfs()
    ok("statfs", statfs(".", &found))
    return found.f_type == 0x0102_1994
}

private func addChangingListingCases(_ suite: inout Suite) {
    suite.check("what stays is listed once while other entries come") {
        makeFiles(280)
        let directory = openDirectory()
        var found: [Entry] = []
        var count = 0
        while let entry = readdir(directory) {
            found.append(Entry(entry))
            if count < 100 { create("new-\(count)") }
            count += 1
            if count > 5000 { fail("the listing does not end") }
        }
        eachOnce(found, (0..<280).map { entryName($0) })
    }
    suite.check("what stays is listed once while other entries go") {
        makeFiles(280)
        let directory = openDirectory()
        var found: [Entry] = []
        var next = 1
        while let entry = readdir(directory) {
            found.append(Entry(entry))
            if next < 280 { remove(entryName(next)) }
            next += 2
        }
        eachOnce(found, stride(from: 0, to: 280, by: 2).map { entryName($0) })
    }
    suite.check("a directory can be emptied while it is listed") {
        makeFiles(280)
        let directory = openDirectory()
        var count = 0
        while let entry = readdir(directory) {
            let name = Entry(entry).text
            if name.hasPrefix("entry") {
                remove(name)
                count += 1
            }
        }
        same("removed", count, 280)
        same("entries", names(), [])
    }
    suite.check("what stays is listed once while another process makes, renames and removes") {
        makeFiles(280)
        let child = Child {
            for round in 0..<60 {
                create("busy-\(round)")
                ok("rename", rename("busy-\(round)", "moved-\(round)"))
                if round % 2 == 0 { remove("moved-\(round)") }
            }
        }
        for _ in 0..<5 { eachOnce(entries(), (0..<280).map { entryName($0) }) }
        child.finish()
        eachOnce(entries(), (0..<280).map { entryName($0) })
    }
    suite.check("new and removed names are seen by the next listing") {
        for round in 0..<20 {
            create("f\(round)")
            same("entries", names(), ["f\(round)"])
            remove("f\(round)")
            same("entries", names(), [])
        }
    }
}
