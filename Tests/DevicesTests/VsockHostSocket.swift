import Glibc
import LinuxSystem
import Synchronization
import TestSupport

/// A host program's end of a connection. Calls wait, but not for ever.
final class HostSocket {
    private var stream: UnixStream?

    init(_ stream: consuming UnixStream) {
        self.stream = consume stream
    }

    convenience init(to path: String) throws {
        let stream = try UnixStream()
        guard try stream.connect(to: path) else { throw TimeoutError(what: "the backlog of \(path) is full") }
        self.init(stream)
    }

    var raw: Int32 { stream?.raw ?? -1 }

    func write(_ text: String) throws { try write(Array(text.utf8)) }

    func write(_ bytes: [UInt8]) throws {
        var done = 0
        while done < bytes.count {
            let count = try writeSome(bytes[done...])
            done += count
            if count == 0, !isWritable(raw, within: patience) { throw TimeoutError(what: "room to write") }
        }
    }

    /// What fits; 0 when nothing does.
    func writeSome(_ bytes: ArraySlice<UInt8>) throws -> Int {
        try bytes.withUnsafeBytes { try stream?.send($0) } ?? 0
    }

    /// What is there, at most so many bytes; empty at the end of the stream. Waits for either.
    func readSome(_ limit: Int = 1 << 16) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: limit)
        while true {
            try waitUntilReadable(raw, "bytes or the end")
            if let count = try bytes.withUnsafeMutableBytes({ try stream?.receive(into: $0) }) { return Array(bytes[..<count]) }
        }
    }

    func read(_ count: Int) throws -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count {
            let part = try readSome(count - bytes.count)
            if part.isEmpty { throw TimeoutError(what: "\(count) bytes; the stream ended after \(bytes.count)") }
            bytes += part
        }
        return bytes
    }

    func readText(_ count: Int) throws -> String { String(decoding: try read(count), as: UTF8.self) }

    /// A line with its newline.
    func readLine() throws -> String {
        var line = ""
        while !line.hasSuffix("\n") { line += try readText(1) }
        return line
    }

    /// All that comes until the other side ends or resets.
    func readToEnd() -> [UInt8] {
        var bytes: [UInt8] = []
        while let part = try? readSome(), !part.isEmpty { bytes += part }
        return bytes
    }

    /// Whether a read would find nothing now.
    var isEmpty: Bool {
        var entry = pollfd(fd: raw, events: Int16(POLLIN), revents: 0)
        return poll(&entry, 1, 0) == 0
    }

    func endSending() { stream?.endSending() }
    func endReceiving() { stream?.endReceiving() }
    func close() { stream = nil }
}

/// A host program that the guest's connections go to.
final class HostService {
    private let listener: UnixListener

    init(_ path: String, backlog: Int32 = 128) throws {
        listener = try UnixListener(path: path, backlog: backlog)
        try listener.setNonBlocking()
    }

    func accept() throws -> HostSocket {
        while true {
            try waitUntilReadable(listener.raw, "a connection of the guest's")
            if let socket = try acceptWaiting() { return socket }
        }
    }

    /// The next connection; nil when none waits.
    func acceptWaiting() throws -> HostSocket? {
        guard let stream = try listener.acceptWaiting() else { return nil }
        return HostSocket(stream)
    }
}

/// The names in a directory.
func fileNames(_ path: String) throws -> [String] {
    guard let directory = opendir(path) else { throw Errno.current }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
            $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if name != ".", name != ".." { names.append(name) }
    }
    return names
}

/// A word from one thread to another.
final class Flag: Sendable {
    private let value = Atomic<Bool>(false)

    var isSet: Bool { value.load(ordering: .relaxed) }
    func set() { value.store(true, ordering: .relaxed) }
}

/// A number that threads raise.
final class Count: Sendable {
    private let count = Atomic<Int>(0)

    var value: Int { count.load(ordering: .relaxed) }
    func add() { count.add(1, ordering: .relaxed) }
}

/// Open descriptors of this process.
func descriptorCount() throws -> Int { try fileNames("/proc/self/fd").count }

/// What this process may have of them from now on.
func limitDescriptors(_ count: Int) throws {
    var limit = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    limit.rlim_cur = rlim_t(count)
    guard setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { throw Errno.current }
}

/// Bytes of this process that are in memory.
func residentBytes() -> Int {
    let text = String(decoding: contents(ofSmallFile: "/proc/self/statm", limit: 4096) ?? [], as: UTF8.self)
    let fields = text.split(separator: " ")
    return fields.count > 1 ? (Int(fields[1]) ?? 0) * 4096 : 0
}
