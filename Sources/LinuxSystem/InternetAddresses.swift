import CLinux
import Glibc

/// The bytes of an address, 4 of an IPv4 address and 16 of an IPv6 one without a zone; nil for text that is neither. The corresponding C
/// function is `inet_pton`.
public func internetAddress(_ text: String) -> [UInt8]? {
    let isVersion6 = text.utf8.contains(UInt8(ascii: ":"))
    var bytes = [UInt8](repeating: 0, count: isVersion6 ? 16 : 4)
    guard bytes.withUnsafeMutableBytes({ inet_pton(isVersion6 ? AF_INET6 : AF_INET, text, $0.baseAddress) }) == 1 else { return nil }
    return bytes
}

/// An address of 4 or 16 bytes as text, the shortest (RFC 5952); nil for other counts of bytes. The corresponding C function is `inet_ntop`.
public func internetAddressText(_ bytes: [UInt8]) -> String? {
    guard bytes.count == 4 || bytes.count == 16 else { return nil }
    var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
    let isDone = bytes.withUnsafeBytes { source in
        text.withUnsafeMutableBufferPointer { target in
            inet_ntop(source.count == 16 ? AF_INET6 : AF_INET, source.baseAddress, target.baseAddress, socklen_t(target.count)) != nil
        }
    }
    return isDone ? String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self) : nil
}

/// A socket address of the family that the count of bytes tells, and its size.
private func withSocketAddress<Result>(
    _ bytes: [UInt8], port: UInt16, _ body: (UnsafeMutablePointer<sockaddr>, inout socklen_t) -> Result
) -> Result {
    if bytes.count == 16 {
        var address = sockaddr_in6()
        address.sin6_family = sa_family_t(AF_INET6)
        address.sin6_port = port.bigEndian
        withUnsafeMutableBytes(of: &address.sin6_addr) { $0.copyBytes(from: bytes) }
        var size = socklen_t(MemoryLayout<sockaddr_in6>.size)
        return withUnsafeMutablePointer(to: &address) { $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, &size) } }
    }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    withUnsafeMutableBytes(of: &address.sin_addr) { $0.copyBytes(from: bytes.prefix(4)) }
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    return withUnsafeMutablePointer(to: &address) { $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, &size) } }
}

/// A socket that has a port of the host, at an address of 4 or 16 bytes, for as long as it is open: nobody else can have it then, and who
/// connects to it is refused. The corresponding C functions are `socket`, `setsockopt` and `bind`.
public func boundSocket(address bytes: [UInt8], port: UInt16, isStream: Bool) throws(Errno) -> FileDescriptor {
    guard bytes.count == 4 || bytes.count == 16 else { throw .invalidArgument }
    do throws(Errno) {
        return try bind(bytes, port, isStream: isStream, isReused: false)
    } catch {
        // Connections that have ended keep a port for a minute, servers that listen and other sockets of this function for good: those
        // alone refuse this one, too.
        guard error == .addressInUse, isStream else { throw error }
        return try bind(bytes, port, isStream: isStream, isReused: true)
    }
}

private func bind(_ bytes: [UInt8], _ port: UInt16, isStream: Bool, isReused: Bool) throws(Errno) -> FileDescriptor {
    let type = Int32((isStream ? SOCK_STREAM : SOCK_DGRAM).rawValue | SOCK_CLOEXEC.rawValue)
    let socket = FileDescriptor(owning: try once { Glibc.socket(bytes.count == 16 ? AF_INET6 : AF_INET, type, 0) })
    let raw = socket.raw
    var one: Int32 = 1
    let size = socklen_t(MemoryLayout<Int32>.size)
    if bytes.count == 16 { _ = try once { setsockopt(raw, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &one, size) } }
    if isReused { _ = try once { setsockopt(raw, SOL_SOCKET, SO_REUSEADDR, &one, size) } }
    _ = try once { withSocketAddress(bytes, port: port) { Glibc.bind(raw, $0, $1) } }
    return socket
}

/// The IPv4 address that the host has for the rest of the world, four bytes; nil where it has no way there. Nothing is sent. The
/// corresponding C functions are `connect`, of a datagram socket, and `getsockname`.
public func outboundAddress() -> [UInt8]? {
    let type = Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue)
    guard let raw = try? once({ Glibc.socket(AF_INET, type, 0) }) else { return nil }
    let socket = FileDescriptor(owning: raw)
    // Of those for documentation (RFC 5737): it only has to be elsewhere.
    return withSocketAddress([192, 0, 2, 1], port: 9) { address, size -> [UInt8]? in
        guard connect(socket.raw, address, size) == 0, getsockname(socket.raw, address, &size) == 0 else { return nil }
        return address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { pointer in
            withUnsafeBytes(of: pointer.pointee.sin_addr) { Array($0) }
        }
    }
}
