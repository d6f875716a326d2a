/// The virtio socket device.
public struct VsockDescription: Equatable, Sendable {
    public var backend: Backend

    public enum Backend: Equatable, Sendable {
        /// In the monitor, with unix sockets on the host: this path, and this path with `_PORT`; nil: `vsock.sock` in the state
        /// directory.
        case user(path: String?)
        /// In the host's kernel (/dev/vhost-vsock), with AF_VSOCK sockets on the host.
        case vhost
    }

    /// The guest's address: `contextIDs`. With `vhost` it is the only guest of the host that has it. nil: 3, or the lowest that is
    /// free.
    public var contextID: UInt32?
    /// Guest ports that are unix sockets in the state directory, `guest.` and the port in 8 hexadecimal digits.
    public var forwardedPorts: [UInt32]

    public init(backend: Backend = .user(path: nil), contextID: UInt32? = nil, forwardedPorts: [UInt32] = []) {
        self.backend = backend
        self.contextID = contextID
        self.forwardedPorts = forwardedPorts
    }

    /// Addresses that a guest may have: those below are the hypervisor, the guest itself and the host, the last is "any"
    /// (VMADDR_CID_*, linux/vm_sockets.h).
    public static let contextIDs: ClosedRange<UInt32> = 3...0xFFFF_FFFE
    /// Ports that a guest listens on; the number above means "any" (VMADDR_PORT_ANY).
    public static let ports: ClosedRange<UInt32> = 1...0xFFFF_FFFE
    public static let maximumForwardedPorts = 64
}

/// Where the host reaches the guest's sockets.
public enum VsockEndpoint: Equatable, Sendable {
    /// A unix socket that takes `CONNECT <port>`.
    case unixSocket(String)
    /// An AF_VSOCK address of the host's kernel.
    case contextID(UInt32)
}
