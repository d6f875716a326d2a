/// Files and devices by system call; failures are errno values.
struct Errno: Error {
    let code: Int32

    static var current: Errno { Errno(code: guest_errno()) }
}

func open(_ path: String, _ flags: Int32) throws(Errno) -> Int32 {
    let file = guest_open(path, flags)
    guard file >= 0 else { throw .current }
    return file
}

/// The contents of a file of /proc or /sys; nil when it cannot be read.
func contents(_ path: String, limit: Int = 1 << 20) -> [UInt8]? {
    guard let file = try? open(path, O_RDONLY) else { return nil }
    defer { close(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4096)
    while bytes.count < limit {
        let count = read(file, &chunk, chunk.count)
        if count <= 0 { break }
        bytes += chunk[..<count]
    }
    return bytes
}

/// The first line of a file of /proc or /sys, "" when it cannot be read.
func line(_ path: String) -> String {
    guard let bytes = contents(path) else { return "" }
    return text(bytes.prefix { $0 != UInt8(ascii: "\n") })
}

func number(_ path: String) -> Int {
    Int(line(path)) ?? -1
}

func text(_ bytes: ArraySlice<UInt8>) -> String {
    String(decoding: bytes, as: UTF8.self)
}

/// The names in a directory, sorted, without those that begin with a dot.
func names(in path: String) -> [String] {
    guard let directory = opendir(path) else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
        let name = String(cString: guest_entry_name(entry))
        if name.utf8.first != UInt8(ascii: ".") { names.append(name) }
    }
    // By length first, so that cpu10 comes after cpu9.
    names.sort { ($0.utf8.count, Array($0.utf8)) < ($1.utf8.count, Array($1.utf8)) }
    return names
}

private func < (left: (Int, [UInt8]), right: (Int, [UInt8])) -> Bool {
    left.0 != right.0 ? left.0 < right.0 : left.1.lexicographicallyPrecedes(right.1)
}

func target(ofLink path: String) -> String {
    var buffer = [UInt8](repeating: 0, count: 1024)
    let count = buffer.withUnsafeMutableBytes { readlink(path, $0.baseAddress!, $0.count) }
    return count > 0 ? text(buffer[..<count]) : ""
}

func writeAll(_ file: Int32, _ bytes: UnsafeRawBufferPointer) throws(Errno) {
    var done = 0
    while done < bytes.count {
        let count = write(file, bytes.baseAddress! + done, bytes.count - done)
        guard count > 0 else { throw .current }
        done += count
    }
}

/// Prints one line for the host, whole.
func say(_ words: String) {
    var line = "guest: " + words + "\n"
    line.withUTF8 { bytes in try? writeAll(1, UnsafeRawBufferPointer(bytes)) }
}
