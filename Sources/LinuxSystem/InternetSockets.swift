import CLinux
import Glibc

/// A socket of UDP (udp(7)) that never blocks. Closed when the value ends.
public struct DatagramSocket: ~Copyable, Sendable {
    private let descriptor: FileDescriptor

    /// Takes what comes to this address and port, which nobody else may have. The address need not be the host's yet. The corresponding C
    /// functions are `socket`, `setsockopt` (IP_FREEBIND, IPV6_V6ONLY) and `bind`.
    public init(boundTo endpoint: InternetEndpoint) throws(Errno) {
        let descriptor = try makeSocket(endpoint, SOCK_DGRAM)
        try bind(descriptor, endpoint)
        self.descriptor = descriptor
    }

    /// Speaks with this peer alone, from a port that the kernel picks at random: what others send is not received. The corresponding C
    /// functions are `socket` and `connect`.
    public init(connectedTo endpoint: InternetEndpoint) throws(Errno) {
        let descriptor = try makeSocket(endpoint, SOCK_DGRAM)
        _ = try once { endpoint.withStructure { svmm_connect(descriptor.raw, $0, $1) } }
        self.descriptor = descriptor
    }

    /// The descriptor's number, for epoll. Borrowed.
    public var raw: Int32 { descriptor.raw }

    /// A datagram that has come.
    public struct Received {
        /// Its length, which is more than the buffer's where it did not fit.
        public let count: Int
        /// Nil where a socket that is connected was asked.
        public let source: InternetEndpoint?
    }

    /// Takes the next datagram; nil when none is there. An error is of a datagram that was sent before (ICMP), or of the socket. The
    /// corresponding C function is `recvfrom` (MSG_TRUNC).
    public func receive(into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Received? {
        while true {
            let (count, source) = InternetEndpoint.read {
                svmm_receive_from(descriptor.raw, buffer.baseAddress, buffer.count, Int32(MSG_DONTWAIT | MSG_TRUNC), $0, $1)
            }
            if count >= 0 { return Received(count: count, source: source) }
            let error = Errno.current
            if error == .again { return nil }
            if error != .interrupted { throw error }
        }
    }

    /// Sends a datagram to the peer, or to somebody. One that does not fit the socket's buffer is an error. The corresponding C functions
    /// are `send` and `sendto`.
    public func send(_ bytes: UnsafeRawBufferPointer, to endpoint: InternetEndpoint? = nil) throws(Errno) {
        let flags = Int32(MSG_DONTWAIT | MSG_NOSIGNAL)
        _ = try retryingInterrupts {
            guard let endpoint else { return Glibc.send(descriptor.raw, bytes.baseAddress, bytes.count, flags) }
            return endpoint.withStructure { svmm_send_to(descriptor.raw, bytes.baseAddress, bytes.count, flags, $0, $1) }
        }
    }
}

/// A listening socket of TCP (tcp(7)) that never blocks. Closed when the value ends.
public struct StreamListener: ~Copyable, Sendable {
    private let descriptor: FileDescriptor

    /// Listens at this address and port. The address need not be the host's yet. The corresponding C functions are `socket`,
    /// `setsockopt` (SO_REUSEADDR, IP_FREEBIND, IPV6_V6ONLY), `bind` and `listen`.
    ///
    /// - Parameter backlog: connections that may wait to be accepted.
    public init(boundTo endpoint: InternetEndpoint, backlog: Int32 = 64) throws(Errno) {
        let descriptor = try makeSocket(endpoint, SOCK_STREAM)
        // Connections of a process that has ended do not keep the port from the next one; a listener does.
        try set(descriptor, SOL_SOCKET, SO_REUSEADDR)
        try bind(descriptor, endpoint)
        _ = try once { listen(descriptor.raw, backlog) }
        self.descriptor = descriptor
    }

    /// The descriptor's number, for epoll. Borrowed.
    public var raw: Int32 { descriptor.raw }

    /// The next connection and where it is from, never blocking; nil when none waits. The corresponding C function is `accept4`.
    public func accept() throws(Errno) -> AcceptedStream? {
        while true {
            let (raw, peer) = InternetEndpoint.read {
                svmm_accept_from(descriptor.raw, $0, $1, Int32(SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue))
            }
            if raw >= 0 {
                let stream = UnixStream(owning: raw)
                if let peer { return AcceptedStream(stream: stream, peer: peer) }
                continue
            }
            let error = Errno.current
            if error == .again { return nil }
            // A connection that ended while it waited takes nothing from the next one.
            if error.rawValue != ECONNABORTED, error != .interrupted { throw error }
        }
    }
}

/// A connection of TCP that somebody has opened.
public struct AcceptedStream: ~Copyable {
    public let stream: UnixStream
    public let peer: InternetEndpoint

    /// The stream alone.
    public consuming func take() -> UnixStream { stream }
}

extension UnixStream {
    /// A connection of TCP on its way to a listener: it takes output when it is there, and fails then where it could not be made. The
    /// corresponding C functions are `socket` and `connect`.
    public init(connectingTo endpoint: InternetEndpoint) throws(Errno) {
        let descriptor = try makeSocket(endpoint, SOCK_STREAM)
        let result = endpoint.withStructure { svmm_connect(descriptor.raw, $0, $1) }
        if result < 0 {
            let error = Errno.current
            guard error.rawValue == EINPROGRESS else { throw error }
        }
        self.init(descriptor)
    }
}

/// The address and port that a socket of UDP or TCP is bound to; nil where it is none. The corresponding C function is `getsockname`.
public func boundEndpoint(of raw: Int32) -> InternetEndpoint? {
    InternetEndpoint.read { svmm_getsockname(raw, $0, $1) }.1
}

private func makeSocket(_ endpoint: InternetEndpoint, _ type: __socket_type) throws(Errno) -> FileDescriptor {
    let type = Int32(type.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
    return FileDescriptor(owning: try once { socket(endpoint.family, type, 0) })
}

private func bind(_ descriptor: borrowing FileDescriptor, _ endpoint: InternetEndpoint) throws(Errno) {
    let freeBindV4: Int32 = 15, freeBindV6: Int32 = 78  // IP_FREEBIND and IPV6_FREEBIND of <linux/in.h> and <linux/in6.h>
    switch endpoint.address.family {
    case .v4: try set(descriptor, Int32(IPPROTO_IP), freeBindV4)
    case .v6:
        try set(descriptor, 41 /* IPPROTO_IPV6 */, IPV6_V6ONLY)
        try set(descriptor, 41, freeBindV6)
    }
    let raw = descriptor.raw
    _ = try once { endpoint.withStructure { svmm_bind(raw, $0, $1) } }
}

private func set(_ descriptor: borrowing FileDescriptor, _ level: Int32, _ option: Int32) throws(Errno) {
    var one: Int32 = 1
    let raw = descriptor.raw
    _ = try once { setsockopt(raw, level, option, &one, socklen_t(MemoryLayout<Int32>.size)) }
}
