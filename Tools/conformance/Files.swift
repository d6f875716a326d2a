import ConformanceC
import Glibc

/// Helpers that end the case when they fail.

func openFile(_ path: String, _ flags: Int32, _ mode: UInt32 = 0o644) -> Int32 {
    ok("open of \(shortened(path))", fc_open(path, flags, mode))
}

/// Makes a file with these contents.
func create(_ path: String, _ contents: String = "", mode: UInt32 = 0o644) {
    create(path, Array(contents.utf8), mode: mode)
}

func create(_ path: String, _ contents: [UInt8], mode: UInt32 = 0o644) {
    let file = openFile(path, O_WRONLY | O_CREAT | O_TRUNC, mode)
    writeAll(file, contents)
    ok("close", close(file))
}

func writeAll(_ file: Int32, _ bytes: [UInt8]) {
    var done = 0
    while done < bytes.count {
        done += ok("write", bytes.withUnsafeBytes { write(file, $0.baseAddress! + done, $0.count - done) })
    }
}

func writeText(_ file: Int32, _ text: String) {
    writeAll(file, Array(text.utf8))
}

/// All that is there from an offset on, at most `limit` bytes.
func read(_ file: Int32, at offset: Int, limit: Int) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: limit)
    var done = 0
    while done < limit {
        let count = ok("pread", bytes.withUnsafeMutableBytes {
            pread(file, $0.baseAddress! + done, limit - done, off_t(offset + done))
        })
        if count == 0 { break }
        done += count
    }
    return Array(bytes[..<done])
}

func writeAll(_ file: Int32, _ bytes: [UInt8], at offset: Int) {
    var done = 0
    while done < bytes.count {
        done += ok("pwrite", bytes.withUnsafeBytes {
            pwrite(file, $0.baseAddress! + done, $0.count - done, off_t(offset + done))
        })
    }
}

func contents(_ path: String) -> [UInt8] {
    let file = openFile(path, O_RDONLY)
    let size = Int(status(file).st_size)
    let bytes = read(file, at: 0, limit: size + 1)
    close(file)
    return bytes
}

func sameContents(_ path: String, _ text: String) {
    same("contents of \(shortened(path))", String(decoding: contents(path), as: UTF8.self), text)
}

func makeDirectory(_ path: String, _ mode: UInt32 = 0o755) {
    ok("mkdir \(shortened(path))", mkdir(path, mode))
}

func status(_ file: Int32) -> stat {
    var result = stat()
    ok("fstat", fstat(file, &result))
    return result
}

/// Of the file itself, not of one that a symbolic link names.
func status(_ path: String) -> stat {
    var result = stat()
    ok("lstat of \(shortened(path))", lstat(path, &result))
    return result
}

func isMissing(_ path: String) {
    var result = stat()
    refused(ENOENT, by: "lstat of \(shortened(path))", lstat(path, &result))
}

func remove(_ path: String) {
    ok("unlink \(shortened(path))", unlink(path))
}

func permissions(_ status: stat) -> UInt32 { status.st_mode & 0o7777 }
func kind(_ status: stat) -> UInt32 { status.st_mode & S_IFMT }

/// The names in a directory with what readdir says of them, `.` and `..` included, in the order of the directory.
func entries(_ path: String = ".") -> [Entry] {
    guard let directory = opendir(path) else { fail("opendir: expected success, found \(errorName(fc_errno()))") }
    let result = rest(of: directory)
    closedir(directory)
    return result
}

struct Entry {
    let name: [UInt8]
    let inode: UInt64
    let type: UInt8

    init(_ entry: UnsafeMutablePointer<dirent>) {
        let start = UnsafeRawPointer(fc_entry_name(entry)!).assumingMemoryBound(to: UInt8.self)
        name = Array(UnsafeBufferPointer(start: start, count: strlen(fc_entry_name(entry)!)))
        inode = UInt64(entry.pointee.d_ino)
        type = entry.pointee.d_type
    }

    var text: String { String(decoding: name, as: UTF8.self) }
}

func rest(of directory: OpaquePointer) -> [Entry] {
    var result: [Entry] = []
    while true {
        errno = 0
        guard let entry = readdir(directory) else { break }
        result.append(Entry(entry))
    }
    if fc_errno() != 0 { fail("readdir: expected success, found \(errorName(fc_errno()))") }
    return result
}

/// The names in a directory but `.` and `..`, sorted.
func names(_ path: String = ".") -> [String] {
    entries(path).map(\.text).filter { $0 != "." && $0 != ".." }.sorted()
}

/// `count` bytes that tell their place, for an odd `seed` each time others.
func pattern(_ count: Int, seed: Int = 1) -> [UInt8] {
    var value = UInt32(truncatingIfNeeded: seed &* 2_654_435_761)
    return (0..<count).map { _ in
        value = value &* 1_664_525 &+ 1_013_904_223
        return UInt8(truncatingIfNeeded: value >> 24)
    }
}

func shortened(_ path: String) -> String {
    path.utf8.count <= 40 ? path : "a name of \(path.utf8.count) bytes"
}

struct Time: Comparable, CustomStringConvertible {
    let seconds: Int
    let nanoseconds: Int

    init(_ time: timespec) {
        seconds = time.tv_sec
        nanoseconds = time.tv_nsec
    }

    init(_ seconds: Int, _ nanoseconds: Int) {
        self.seconds = seconds
        self.nanoseconds = nanoseconds
    }

    static func < (left: Time, right: Time) -> Bool { (left.seconds, left.nanoseconds) < (right.seconds, right.nanoseconds) }

    var specification: timespec { timespec(tv_sec: seconds, tv_nsec: nanoseconds) }
    var description: String { "\(seconds) s \(nanoseconds) ns" }
}

extension stat {
    var modified: Time { Time(st_mtim) }
    var changed: Time { Time(st_ctim) }
    var accessed: Time { Time(st_atim) }
}

/// Waits until the file system's own clock shows a later time: its steps can be 10 ms.
func waitForTick(after time: Time) {
    while true {
        create(".tick")
        let now = status(".tick").changed
        remove(".tick")
        if now > time { return }
    }
}
