import CLinux
import Glibc

/// An address of IPv4 or IPv6.
public struct InternetAddress: Hashable, Sendable, CustomStringConvertible {
    public enum Family: Sendable {
        case v4, v6
    }

    public let family: Family
    /// The upper and lower half of an IPv6 address; 0 and the 32 bits of an IPv4 address.
    private let high: UInt64
    private let low: UInt64
    /// The number of the interface that a link-local address is of; 0: none is named.
    public let scope: UInt32

    private init(family: Family, high: UInt64, low: UInt64, scope: UInt32) {
        (self.family, self.high, self.low, self.scope) = (family, high, low, scope)
    }

    /// Of its bytes in the network's order: 4, or 16.
    public init?(bytes: some Collection<UInt8>, scope: UInt32 = 0) {
        func number(_ part: some Collection<UInt8>) -> UInt64 { part.reduce(0) { $0 << 8 | UInt64($1) } }
        switch bytes.count {
        case 4: self.init(family: .v4, high: 0, low: number(bytes), scope: 0)
        case 16: self.init(family: .v6, high: number(bytes.prefix(8)), low: number(bytes.dropFirst(8)), scope: scope)
        default: return nil
        }
    }

    /// As `10.0.0.1`, `fd00::1` or `fe80::1%eth0`, where the interface must be there. The corresponding C functions are `inet_pton` and
    /// `if_nametoindex`.
    public init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "%", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, !first.utf8.contains(0) else { return nil }
        let family = first.utf8.contains(UInt8(ascii: ":")) ? AF_INET6 : AF_INET
        var bytes = [UInt8](repeating: 0, count: family == AF_INET6 ? 16 : 4)
        guard inet_pton(family, String(first), &bytes) == 1 else { return nil }
        var scope: UInt32 = 0
        if parts.count == 2 {
            scope = if_nametoindex(String(parts[1]))
            guard family == AF_INET6, scope > 0 else { return nil }
        }
        self.init(bytes: bytes, scope: scope)
    }

    /// In the network's order: 4, or 16.
    public var bytes: [UInt8] {
        func bytes(_ value: UInt64) -> [UInt8] { (0..<8).map { UInt8(truncatingIfNeeded: value >> (56 - 8 * $0)) } }
        return family == .v4 ? Array(bytes(low).suffix(4)) : bytes(high) + bytes(low)
    }

    /// The address as it is written, without its interface. The corresponding C function is `inet_ntop`.
    public var description: String {
        var text = [CChar](repeating: 0, count: 46)  // INET6_ADDRSTRLEN
        let family = family == .v4 ? AF_INET : AF_INET6
        guard inet_ntop(family, bytes, &text, socklen_t(text.count)) != nil else { return "" }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// The same address of no interface in particular.
    public var withoutScope: InternetAddress { InternetAddress(family: family, high: high, low: low, scope: 0) }
}

/// An address and a port of UDP or TCP.
public struct InternetEndpoint: Hashable, Sendable, CustomStringConvertible {
    public let address: InternetAddress
    public let port: UInt16

    public init(_ address: InternetAddress, port: UInt16) {
        (self.address, self.port) = (address, port)
    }

    public var description: String { address.family == .v4 ? "\(address):\(port)" : "[\(address)]:\(port)" }

    /// AF_INET or AF_INET6.
    var family: Int32 { address.family == .v4 ? AF_INET : AF_INET6 }

    /// Has the structure that system calls take: its address and size.
    func withStructure<Result>(_ body: (UnsafeRawPointer, socklen_t) -> Result) -> Result {
        let bytes = address.bytes
        switch address.family {
        case .v4:
            var structure = sockaddr_in()
            structure.sin_family = sa_family_t(AF_INET)
            structure.sin_port = port.bigEndian
            withUnsafeMutableBytes(of: &structure.sin_addr) { $0.copyBytes(from: bytes) }
            return withUnsafeBytes(of: &structure) { body($0.baseAddress!, socklen_t($0.count)) }
        case .v6:
            var structure = sockaddr_in6()
            structure.sin6_family = sa_family_t(AF_INET6)
            structure.sin6_port = port.bigEndian
            structure.sin6_scope_id = address.scope
            withUnsafeMutableBytes(of: &structure.sin6_addr) { $0.copyBytes(from: bytes) }
            return withUnsafeBytes(of: &structure) { body($0.baseAddress!, socklen_t($0.count)) }
        }
    }

    /// What a system call has written; nil when it is of another family, or the call has failed.
    static func read<Result>(_ call: (UnsafeMutableRawPointer, UnsafeMutablePointer<socklen_t>) -> Result) -> (Result, InternetEndpoint?) {
        var storage = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutableBytes(of: &storage) { buffer in
            let result = call(buffer.baseAddress!, &size)
            // Sound: the storage is as large and as aligned as either structure, and all zeros where nothing was written.
            switch Int32(buffer.load(as: sa_family_t.self)) {
            case AF_INET:
                let found = buffer.load(as: sockaddr_in.self)
                let address = withUnsafeBytes(of: found.sin_addr) { InternetAddress(bytes: $0) }
                return (result, address.map { InternetEndpoint($0, port: found.sin_port.bigEndian) })
            case AF_INET6:
                let found = buffer.load(as: sockaddr_in6.self)
                let address = withUnsafeBytes(of: found.sin6_addr) { InternetAddress(bytes: $0, scope: found.sin6_scope_id) }
                return (result, address.map { InternetEndpoint($0, port: found.sin6_port.bigEndian) })
            default: return (result, nil)
            }
        }
    }
}
