import CLinux
import Glibc
import LinuxSystem

/// The host's end of the test guest's connections (Tools/guest/MeasureVsock.swift): one thread for each way in, which serves one
/// connection after the other for as long as this process lives.
enum HostPeer {
    /// Where the guest's `test.port=` leads.
    static let port: UInt32 = 5000

    private static let bufferSize = 1 << 16

    /// Through the host's kernel: AF_VSOCK, any guest.
    static func serveKernelSockets() throws {
        let socket = FileDescriptor(owning: Glibc.socket(AF_VSOCK, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0))
        guard socket.raw >= 0, svmm_bind_vsock(socket.raw, port) == 0, listen(socket.raw, 4) == 0 else {
            throw BenchmarkError("AF_VSOCK port \(port): \(Errno.current); is the module vhost_vsock loaded?")
        }
        let listener = Listener(socket)
        _ = try Thread(name: "vsock-peer") { serve { try? listener.accept() } }
    }

    /// Through svmm: the unix socket to which it connects for a guest. It must not exist yet.
    static func serveUnixSocket(_ path: String) throws {
        let listener = UnixSocket(try UnixListener(path: path))
        _ = try Thread(name: "unix-peer") { serve { try? listener.accept() } }
    }

    private final class Listener: Sendable {
        private let socket: FileDescriptor
        init(_ socket: consuming FileDescriptor) { self.socket = socket }

        func accept() throws -> FileDescriptor {
            let raw = svmm_accept(socket.raw, Int32(SOCK_CLOEXEC.rawValue))
            guard raw >= 0 else { throw Errno.current }
            return FileDescriptor(owning: raw)
        }
    }

    private final class UnixSocket: Sendable {
        private let listener: UnixListener
        init(_ listener: consuming UnixListener) { self.listener = listener }
        func accept() throws -> FileDescriptor { try listener.accept() }
    }

    private static func serve(_ accept: () -> FileDescriptor?) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: bufferSize, alignment: 4096)
        buffer.initializeMemory(as: UInt8.self, repeating: 0x5A)
        while let connection = accept() { serve(connection.raw, buffer) }
        buffer.deallocate()
    }

    /// The first byte says what the connection is for, the next 8 how many bytes are to flow. A connection that ends early ends
    /// its guest's scenario, which says so.
    private static func serve(_ socket: Int32, _ buffer: UnsafeMutableRawBufferPointer) {
        guard let start = buffer.baseAddress, receive(socket, start, 9) else { return }
        let request = buffer[0]
        var left = Int(truncatingIfNeeded: UInt64(littleEndian: buffer.loadUnaligned(fromByteOffset: 1, as: UInt64.self)))
        guard send(socket, start, 1) else { return }
        switch request {
        case UInt8(ascii: "s"):
            while left > 0 {
                let count = read(socket, start, min(left, buffer.count))
                guard count > 0 else { return }
                left -= count
            }
            _ = send(socket, start, 1)
        case UInt8(ascii: "r"):
            // The guest's word that it is ready.
            guard receive(socket, start, 1) else { return }
            while left > 0 {
                let count = min(left, buffer.count)
                guard send(socket, start, count) else { return }
                left -= count
            }
            // Until the guest has everything and closes.
            _ = read(socket, start, 1)
        case UInt8(ascii: "e"):
            while read(socket, start, 1) == 1, send(socket, start, 1) {}
        default:
            return
        }
    }

    private static func receive(_ socket: Int32, _ start: UnsafeMutableRawPointer, _ count: Int) -> Bool {
        var done = 0
        while done < count {
            let part = read(socket, start + done, count - done)
            guard part > 0 else { return false }
            done += part
        }
        return true
    }

    private static func send(_ socket: Int32, _ start: UnsafeRawPointer, _ count: Int) -> Bool {
        var done = 0
        while done < count {
            // A guest that is gone must not end this process.
            let part = Glibc.send(socket, start + done, count - done, Int32(MSG_NOSIGNAL))
            guard part > 0 else { return false }
            done += part
        }
        return true
    }
}
