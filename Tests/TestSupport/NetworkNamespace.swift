import CLinux
import Glibc
import LinuxSystem

/// Whether this process may make network namespaces and TAP interfaces: what tests with a real TAP need.
public let canMakeTaps: Bool = geteuid() == 0 && access("/dev/net/tun", R_OK | W_OK) == 0

/// Runs `body` on a thread of its own in a network namespace of its own, which ends with it, interfaces and all.
///
/// Descriptors made there stay in that namespace also when other threads use them. What fails an expectation there is no test's
/// in particular, so results are better returned.
///
/// - Parameter resolver: a file that is /etc/resolv.conf there.
public func inNetworkNamespace<Value: Sendable>(
    resolver: String? = nil, _ body: @escaping @Sendable () throws -> Value
) throws -> Value {
    let result = ResultBox<Value>()
    let done = Gate()
    _ = try Thread(name: "netns") {
        defer { done.open() }
        do {
            guard unshare(CLONE_NEWNET) == 0 else { throw Errno.current }
            if let resolver {
                // MS_REC and MS_PRIVATE, then MS_BIND.
                guard unshare(CLONE_NEWNS) == 0, mount("none", "/", nil, 0x44000, nil) == 0,
                      mount(resolver, "/etc/resolv.conf", nil, 0x1000, nil) == 0 else { throw Errno.current }
            }
            try NetworkInterface("lo").bringUp()
            result.value = .success(try body())
        } catch {
            result.value = .failure(error)
        }
    }
    done.wait()
    guard let value = result.value else { throw TimeoutError(what: "the thread's result") }
    return try value.get()
}

private final class ResultBox<Value: Sendable>: @unchecked Sendable {
    // Sound: written before the gate opens, read afterwards.
    var value: Result<Value, any Error>?
}

/// A packet socket (packet(7)) on an interface: the host's side of a TAP, for tests.
public struct PacketSocket: ~Copyable {
    public let file: FileDescriptor

    /// In the network namespace of the calling thread.
    public init(_ interface: String) throws {
        let everything = UInt16(0x0003).bigEndian  // ETH_P_ALL
        let raw = socket(AF_PACKET, Int32(SOCK_RAW.rawValue | SOCK_CLOEXEC.rawValue), Int32(everything))
        guard raw >= 0 else { throw Errno.current }
        let file = FileDescriptor(owning: raw)
        var address = sockaddr_ll()
        address.sll_family = UInt16(AF_PACKET)
        address.sll_protocol = everything
        address.sll_ifindex = Int32(if_nametoindex(interface))
        let size = socklen_t(MemoryLayout<sockaddr_ll>.size)
        let bound = withUnsafeMutablePointer(to: &address) { svmm_bind(raw, $0, size) }
        guard bound == 0 else { throw Errno.current }
        self.file = file
    }

    public func send(_ frame: [UInt8]) throws {
        let count = frame.withUnsafeBytes { Glibc.write(file.raw, $0.baseAddress, $0.count) }
        guard count == frame.count else { throw Errno.current }
    }

    /// The next frame for which `isWanted` is true.
    public func receive(_ isWanted: ([UInt8]) -> Bool) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 1 << 17)
        while true {
            try waitUntilReadable(file.raw, "a frame")
            let count = try bytes.withUnsafeMutableBytes { try read(file.raw, into: $0) }
            if isWanted(Array(bytes[..<count])) { return Array(bytes[..<count]) }
        }
    }
}
