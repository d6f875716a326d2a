import CLinux
import Glibc

/// A unix(7) stream socket that never blocks: one end of a connection, or on the way to become one. Closed when the value
/// ends.
///
/// Calls that would have to wait answer nil. A peer that is gone is an error, never a signal.
public struct UnixStream: ~Copyable, Sendable {
    private let descriptor: FileDescriptor

    init(owning raw: Int32) {
        descriptor = FileDescriptor(owning: raw)
    }

    /// Takes over a stream socket, whatever its mode: no call here waits.
    public init(_ descriptor: consuming FileDescriptor) {
        self.descriptor = descriptor
    }

    /// A socket that is not connected. Close-on-exec. The corresponding C function is `socket`.
    public init() throws(Errno) {
        let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        self.init(owning: try once { socket(AF_UNIX, type, 0) })
    }

    /// The descriptor's number, for epoll. Borrowed.
    public var raw: Int32 { descriptor.raw }

    /// The user at the other end: see `FileDescriptor.peerUser`.
    public func peerUser() throws(Errno) -> UInt32 { try descriptor.peerUser() }

    /// Connects to a listener. False when its backlog is full, where the call may be repeated later: the kernel tells nobody
    /// when there is room. The corresponding C function is `connect`.
    public func connect(to path: String) throws(Errno) -> Bool {
        var address = try UnixAddress(path).address
        do throws(Errno) {
            _ = try retryingInterrupts { svmm_connect_unix(raw, &address) }
            return true
        } catch {
            if error == .again { return false }
            throw error
        }
    }

    /// What a `receive` has brought.
    public struct Received {
        /// Bytes; 0 is the end of the stream, where there was room for any.
        public let count: Int
        /// Whether everything that the socket held has been taken: more will be told by epoll.
        public let isDrained: Bool
    }

    /// Takes what is there into the areas; nil when nothing is. Descriptors that come with it are closed. The corresponding C
    /// function is `recvmsg`.
    public func receive(into vectors: borrowing IOVectorList) throws(Errno) -> Received? {
        let wanted = vectors.byteCount
        var message = msghdr()
        message.msg_iov = UnsafeMutablePointer(mutating: vectors.pointer)
        message.msg_iovlen = min(vectors.count, 1024)
        guard let count = try waiting({ recvmsg(raw, &message, Int32(MSG_DONTWAIT)) }) else { return nil }
        // A transfer ends early where descriptors are attached to the bytes (MSG_CTRUNC: they were dropped), although more
        // may follow them.
        let wasCut = message.msg_flags & Int32(MSG_CTRUNC) != 0
        return Received(count: count, isDrained: count > 0 && count < wanted && !wasCut)
    }

    /// Gives as much of the areas as the socket takes; nil when it takes nothing. The corresponding C function is `sendmsg`.
    public func send(_ vectors: borrowing IOVectorList) throws(Errno) -> Int? {
        var message = msghdr()
        message.msg_iov = UnsafeMutablePointer(mutating: vectors.pointer)
        message.msg_iovlen = min(vectors.count, 1024)
        return try waiting { sendmsg(raw, &message, Int32(MSG_DONTWAIT | MSG_NOSIGNAL)) }
    }

    /// Gives as much of the bytes as the socket takes; nil when it takes nothing. The corresponding C function is `send`.
    public func send(_ bytes: UnsafeRawBufferPointer) throws(Errno) -> Int? {
        try waiting {
            Glibc.send(raw, bytes.baseAddress, bytes.count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL))
        }
    }

    /// Copies what is there, which stays to be received; nil when nothing is, 0 at the end of the stream. The corresponding C
    /// function is `recv` (MSG_PEEK).
    public func peek(into bytes: UnsafeMutableRawBufferPointer) throws(Errno) -> Int? {
        try waiting { recv(raw, bytes.baseAddress, bytes.count, Int32(MSG_DONTWAIT | MSG_PEEK)) }
    }

    /// Takes what is there, at most as much as fits; nil when nothing is. The corresponding C function is `recv`.
    public func receive(into bytes: UnsafeMutableRawBufferPointer) throws(Errno) -> Int? {
        try waiting { recv(raw, bytes.baseAddress, bytes.count, Int32(MSG_DONTWAIT)) }
    }

    /// The peer reads the end of the stream once it has read what was sent. The C function is `shutdown` (SHUT_WR).
    public func endSending() {
        _ = shutdown(raw, Int32(SHUT_WR))
    }

    /// The peer can send no more. The C function is `shutdown` (SHUT_RD).
    public func endReceiving() {
        _ = shutdown(raw, Int32(SHUT_RD))
    }

    private func waiting(_ call: () -> Int) throws(Errno) -> Int? {
        do throws(Errno) {
            return try retryingInterrupts(call)
        } catch {
            if error == .again { return nil }
            throw error
        }
    }
}
