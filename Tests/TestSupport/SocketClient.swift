import CLinux
import Glibc
import LinuxSystem

/// A client of a unix socket, connected for as long as it lives.
public final class SocketClient: Sendable {
    private let descriptor: FileDescriptor

    public init(_ path: String) throws {
        let raw = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard raw >= 0 else { throw Errno.current }
        descriptor = FileDescriptor(owning: raw)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8).prefix($0.count - 1)) }
        guard svmm_connect_unix(raw, &address) == 0 else { throw Errno.current }
    }

    /// Waits for exactly so many bytes of text.
    public func read(_ count: Int) throws -> String {
        var bytes: [UInt8] = []
        while bytes.count < count {
            try waitUntilReadable(descriptor.raw, "\(count) bytes, after \(bytes)")
            var chunk = [UInt8](repeating: 0, count: count - bytes.count)
            let got = try chunk.withUnsafeMutableBytes { try descriptor.read(into: $0) }
            guard got > 0 else { throw TimeoutError(what: "the other side closed after \(bytes)") }
            bytes += chunk.prefix(got)
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    public func write(_ text: String) throws {
        try Array(text.utf8).withUnsafeBytes { try descriptor.writeAll($0) }
    }
}
