import CLinux
import Glibc
import LinuxSystem

/// A client of a unix socket, connected for as long as this object lives.
public final class UnixClient {
    private let socket: FileDescriptor

    /// Connects. A name that has just appeared refuses connections until its owner listens, a moment later.
    public init(path: String) throws(Errno) {
        socket = try Self.makeSocket()
        var address = Self.address(path)
        let deadline = Clock.monotonicNanoseconds() + patience
        while svmm_connect_unix(socket.raw, &address) != 0 {
            guard Errno.current == .connectionRefused, Clock.monotonicNanoseconds() < deadline else { throw Errno.current }
            sched_yield()
        }
    }

    public func send(_ text: String) throws {
        let bytes = Array(text.utf8)
        try bytes.withUnsafeBytes { try socket.writeAll($0) }
    }

    /// Reads until the text has come, or the end; returns what has come.
    public func receive(until text: String) throws -> String {
        let deadline = Clock.monotonicNanoseconds() + patience
        var received: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while !String(decoding: received, as: UTF8.self).contains(text) {
            var entry = pollfd(fd: socket.raw, events: Int16(POLLIN), revents: 0)
            let rest = (Int(deadline) - Int(Clock.monotonicNanoseconds())) / 1_000_000
            guard rest > 0, poll(&entry, 1, Int32(clamping: rest)) > 0 else {
                throw DeadlinePassed(description: "'\(text)' did not come by the socket, but: \(received.suffix(500))")
            }
            let count = try chunk.withUnsafeMutableBytes { try socket.read(into: $0) }
            if count == 0 { break }
            received += chunk[..<count]
        }
        return String(decoding: received, as: UTF8.self)
    }

    /// Leaves a socket behind that nobody listens to, as a process does that dies.
    public static func abandonSocket(at path: String) throws(Errno) {
        let socket = try makeSocket()
        var address = address(path)
        guard svmm_bind_unix(socket.raw, &address) == 0 else { throw Errno.current }
    }

    private static func makeSocket() throws(Errno) -> FileDescriptor {
        let raw = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        guard raw >= 0 else { throw Errno.current }
        return FileDescriptor(owning: raw)
    }

    private static func address(_ path: String) -> sockaddr_un {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
        return address
    }
}
