/// System calls that fail with errno; the rest of the agent says what it was doing.
struct Errno: Error, Equatable {
    let code: Int32

    static var current: Errno { Errno(code: agent_errno()) }

    /// As strerror(3) has it.
    var text: String {
        guard let text = strerror(code) else { return "error \(code)" }
        return String(cString: text)
    }
}

/// A path as system calls take it: bytes of any encoding, and a zero at the end.
struct CPath {
    private let bytes: [CChar]

    init(_ path: [UInt8]) {
        // What follows a zero byte, the kernel would not see.
        bytes = path.prefix { $0 != 0 }.map { CChar(bitPattern: $0) } + [0]
    }

    init(_ path: String) {
        self.init(Array(path.utf8))
    }

    func callAsFunction<Result>(_ body: (UnsafePointer<CChar>) -> Result) -> Result {
        bytes.withUnsafeBufferPointer { buffer in
            // There is at least the zero.
            body(buffer.baseAddress.unsafelyUnwrapped)
        }
    }
}

func check(_ result: Int32) throws(Errno) {
    guard result >= 0 else { throw .current }
}

func descriptor(_ result: Int32) throws(Errno) -> Int32 {
    guard result >= 0 else { throw .current }
    return result
}

/// Calls again what a signal interrupted.
func retrying(_ body: () -> Int) -> Int {
    while true {
        let result = body()
        if result >= 0 || agent_errno() != EINTR { return result }
    }
}

func openFile(_ path: String, _ flags: Int32, _ mode: UInt32 = 0) throws(Errno) -> Int32 {
    try descriptor(agent_open(path, flags, mode))
}

/// The contents of a file up to a limit; nil when it cannot be read. Never waits for the writer of a FIFO.
func contents(_ path: String, limit: Int = 1 << 20) -> [UInt8]? {
    let file = agent_open(path, O_RDONLY | O_NONBLOCK, 0)
    guard file >= 0 else { return nil }
    defer { close(file) }
    return contents(of: file, limit: limit)
}

func contents(of file: Int32, limit: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    let size = 16384
    while bytes.count < limit {
        let count = withUnsafeTemporaryAllocation(byteCount: size, alignment: 16) { chunk in
            let count = retrying { read(file, chunk.baseAddress, size) }
            if count > 0 { bytes.append(contentsOf: chunk[..<count]) }
            return count
        }
        if count <= 0 { break }
    }
    return bytes
}

func writeAll(_ file: Int32, _ bytes: UnsafeRawBufferPointer) throws(Errno) {
    var done = 0
    while done < bytes.count {
        let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
        let count = retrying { write(file, rest.baseAddress, rest.count) }
        guard count > 0 else { throw .current }
        done += count
    }
}

func writeAll(_ file: Int32, _ bytes: [UInt8]) throws(Errno) {
    var failure: Errno?
    bytes.withUnsafeBytes { buffer in
        do throws(Errno) { try writeAll(file, buffer) } catch { failure = error }
    }
    if let failure { throw failure }
}

/// Writes a file of /proc, /sys or a cgroup by one call.
func writeFile(_ path: String, _ text: String) throws(Errno) {
    try writeFile(path, Array(text.utf8))
}

func writeFile(_ path: String, _ bytes: [UInt8]) throws(Errno) {
    let file = try openFile(path, O_WRONLY)
    defer { close(file) }
    try writeAll(file, bytes)
}

/// The names in a directory but "." and "..".
func names(in path: String) -> [[UInt8]] {
    let file = agent_open(path, O_RDONLY | O_DIRECTORY, 0)
    return file < 0 ? [] : names(inDirectory: file)
}

/// The same of an open directory, which is closed.
func names(inDirectory file: Int32) -> [[UInt8]] {
    guard let directory = fdopendir(file) else {
        close(file)
        return []
    }
    defer { closedir(directory) }
    var names: [[UInt8]] = []
    while let entry = readdir(directory) {
        guard let name = agent_entry_name(entry) else { continue }
        let bytes = Array(UnsafeRawBufferPointer(start: name, count: strlen(name)))
        if bytes != [UInt8(ascii: ".")], bytes != [UInt8(ascii: "."), UInt8(ascii: ".")] { names.append(bytes) }
    }
    return names
}

/// The first line of a file of /proc or /sys, empty when it cannot be read.
func line(_ path: String) -> [UInt8] {
    Array((contents(path, limit: 4096) ?? []).prefix { $0 != UInt8(ascii: "\n") })
}

func text(_ bytes: some Sequence<UInt8>) -> String {
    String(decoding: Array(bytes), as: UTF8.self)
}

/// A pipe, both ends close-on-exec.
func makePipe() throws(Errno) -> (read: Int32, write: Int32) {
    var ends: (Int32, Int32) = (-1, -1)
    let result = withUnsafeMutableBytes(of: &ends) { bytes in
        pipe2(bytes.baseAddress?.assumingMemoryBound(to: Int32.self), O_CLOEXEC)
    }
    guard result == 0 else { throw .current }
    return (ends.0, ends.1)
}

extension stat {
    enum Kind {
        case directory, regular, link, other
    }

    var kind: Kind {
        switch st_mode & 0o170000 {
        case 0o040000: .directory
        case 0o100000: .regular
        case 0o120000: .link
        default: .other
        }
    }
}

/// Closes all descriptors but 0, 1, 2 and these: a child that goes on without exec(2) must hold nobody's pipe open.
func closeAll(except kept: [Int32]) {
    var next: UInt32 = 3
    for file in kept.sorted().compactMap({ UInt32(exactly: $0) }) where file >= next {
        if file > next { _ = agent_close_range(next, file - 1) }
        next = file + 1
    }
    _ = agent_close_range(next, UInt32.max)
}
