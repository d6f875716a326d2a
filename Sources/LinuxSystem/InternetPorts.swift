import CLinux
import Glibc

/// A port that nobody uses at the moment at a local IPv4 address of four bytes. The corresponding C functions are `bind` (port 0) and
/// `getsockname`.
public func freePort(address bytes: [UInt8], isStream: Bool) throws(Errno) -> UInt16 {
    guard bytes.count == 4 else { throw .invalidArgument }
    let type = Int32((isStream ? SOCK_STREAM : SOCK_DGRAM).rawValue | SOCK_CLOEXEC.rawValue)
    let socket = FileDescriptor(owning: try once { Glibc.socket(AF_INET, type, 0) })
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = bytes.reversed().reduce(0) { $0 << 8 | UInt32($1) }
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    _ = try once {
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                let result = bind(socket.raw, pointer, size)
                return result == 0 ? getsockname(socket.raw, pointer, &size) : result
            }
        }
    }
    return address.sin_port.bigEndian
}
