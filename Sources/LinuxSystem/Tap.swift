import CLinux
import Glibc

/// What the kernel may leave to the reader of a TAP: see TUNSETOFFLOAD in linux/if_tun.h.
public struct TapOffloads: OptionSet, Sendable {
    public let rawValue: UInt32

    public init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    /// Frames without checksum. The others need this one.
    public static let checksum = TapOffloads(rawValue: SVMM_TUN_F_CSUM.rawValue)
    /// TCP segments larger than a frame.
    public static let tso4 = TapOffloads(rawValue: SVMM_TUN_F_TSO4.rawValue)
    public static let tso6 = TapOffloads(rawValue: SVMM_TUN_F_TSO6.rawValue)
    public static let ecn = TapOffloads(rawValue: SVMM_TUN_F_TSO_ECN.rawValue)
    /// UDP datagrams larger than a frame.
    public static let ufo = TapOffloads(rawValue: SVMM_TUN_F_UFO.rawValue)
}

/// One queue of a TAP network interface (Documentation/networking/tuntap.rst in the kernel's sources). Non-blocking.
///
/// Reads give one frame each, writes take one, behind a struct virtio_net_hdr_mrg_rxbuf where `hasHeader` is true.
public struct TapQueue: ~Copyable, Sendable {
    /// Of the interface.
    public let name: String
    public let hasHeader: Bool
    /// Whether the interface can have further queues.
    public let isMultiQueue: Bool
    public let file: FileDescriptor

    public static let path = "/dev/net/tun"
    /// Bytes of struct virtio_net_hdr_mrg_rxbuf.
    public static let headerSize = 12
    /// Bytes of an interface's name (IFNAMSIZ without the NUL).
    public static let maximumNameLength = 15

    /// Another queue of the interface with this name, which is made if there is none, and then ends with its last queue. An empty
    /// name: the kernel finds one. The corresponding ioctl is `TUNSETIFF`.
    ///
    /// Throws `.busy` when somebody else has the interface, `.invalidArgument` when it exists and is made for one queue where
    /// several are asked for, or the other way round.
    public init(name: String, isMultiQueue: Bool) throws(Errno) {
        let file = try FileDescriptor.open(Self.path, [.readWrite, .nonBlocking])
        var request = ifreq()
        svmm_ifreq_set_name(&request, name.isEmpty ? "tap%d" : name)
        svmm_ifreq_set_flags(&request, Int32(SVMM_TAP_FLAGS.rawValue | (isMultiQueue ? SVMM_TAP_MULTI_QUEUE.rawValue : 0)))
        let raw = file.raw
        _ = try once { withUnsafeMutablePointer(to: &request) { svmm_ioctl_pointer(raw, svmm_tunsetiff, $0) } }
        try Self.prepareHeader(file)
        self.name = String(cString: svmm_ifreq_name(&request))
        self.isMultiQueue = isMultiQueue
        hasHeader = true
        self.file = file
    }

    /// Takes a descriptor over that somebody else has attached to an interface. The corresponding ioctl is `TUNGETIFF`.
    ///
    /// Throws `.badDescriptorState` when it is none of an interface, `.invalidArgument` when frames on it are not Ethernet's or
    /// begin with struct tun_pi.
    public init(_ file: consuming FileDescriptor) throws(Errno) {
        let raw = file.raw
        var request = ifreq()
        _ = try once { withUnsafeMutablePointer(to: &request) { svmm_ioctl_pointer(raw, svmm_tungetiff, $0) } }
        let flags = UInt32(bitPattern: svmm_ifreq_flags(&request))
        let hasHeader = flags & SVMM_TAP_VNET_HDR.rawValue != 0
        guard flags & SVMM_TAP_TUN.rawValue == 0, flags & SVMM_TAP_NO_PI.rawValue != 0 else { throw .invalidArgument }
        try file.setNonBlocking()
        if hasHeader { try Self.prepareHeader(file) }
        name = String(cString: svmm_ifreq_name(&request))
        self.hasHeader = hasHeader
        isMultiQueue = flags & SVMM_TAP_MULTI_QUEUE.rawValue != 0
        self.file = file
    }

    private static func prepareHeader(_ file: borrowing FileDescriptor) throws(Errno) {
        let raw = file.raw
        var size = Int32(headerSize)
        var isLittleEndian: Int32 = 1
        _ = try once { svmm_ioctl_pointer(raw, svmm_tunsetvnethdrsz, &size) }
        _ = try once { svmm_ioctl_pointer(raw, svmm_tunsetvnetle, &isLittleEndian) }
    }

    /// What frames that are read may be from now on, on all queues. The corresponding ioctl is `TUNSETOFFLOAD`.
    public func setOffloads(_ offloads: TapOffloads) throws(Errno) {
        _ = try once { svmm_ioctl_value(file.raw, svmm_tunsetoffload, UInt(offloads.rawValue)) }
    }

    /// Whether the kernel gives this queue frames; one that gets none also takes none. The corresponding ioctl is `TUNSETQUEUE`.
    public func setAttached(_ isAttached: Bool) throws(Errno) {
        var request = ifreq()
        svmm_ifreq_set_flags(&request, Int32(isAttached ? SVMM_TAP_ATTACH.rawValue : SVMM_TAP_DETACH.rawValue))
        let raw = file.raw
        do throws(Errno) {
            _ = try once { withUnsafeMutablePointer(to: &request) { svmm_ioctl_pointer(raw, svmm_tunsetqueue, $0) } }
        } catch {
            // As asked for already.
            guard error == .invalidArgument else { throw error }
        }
    }
}

/// A network interface of the host, by name.
public struct NetworkInterface: ~Copyable {
    private let name: String
    private let socket: FileDescriptor

    /// The corresponding C function is `socket`.
    public init(_ name: String) throws(Errno) {
        self.name = name
        let type = Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue)
        socket = FileDescriptor(owning: try once { Glibc.socket(AF_INET, type, 0) })
    }

    /// Whether there is one with this name. The corresponding C function is `if_nametoindex`.
    public static func exists(_ name: String) -> Bool { if_nametoindex(name) != 0 }

    /// Bytes of a frame behind its Ethernet header. The corresponding ioctl is `SIOCGIFMTU`.
    public func mtu() throws(Errno) -> Int {
        var request = request
        try call(svmm_siocgifmtu, &request)
        return Int(svmm_ifreq_mtu(&request))
    }

    /// The corresponding ioctl is `SIOCSIFMTU`.
    public func setMTU(_ mtu: Int) throws(Errno) {
        var request = request
        svmm_ifreq_set_mtu(&request, Int32(clamping: mtu))
        try call(svmm_siocsifmtu, &request)
    }

    /// Has the interface carry traffic. The corresponding ioctl is `SIOCSIFFLAGS`.
    public func bringUp() throws(Errno) {
        var request = request
        try call(svmm_siocgifflags, &request)
        let up = Int32(SVMM_IFF_UP.rawValue)
        guard svmm_ifreq_flags(&request) & up == 0 else { return }
        svmm_ifreq_set_flags(&request, svmm_ifreq_flags(&request) | up)
        try call(svmm_siocsifflags, &request)
    }

    private var request: ifreq {
        var request = ifreq()
        svmm_ifreq_set_name(&request, name)
        return request
    }

    private func call(_ code: UInt, _ request: inout ifreq) throws(Errno) {
        let raw = socket.raw
        _ = try once { withUnsafeMutablePointer(to: &request) { svmm_ioctl_pointer(raw, code, $0) } }
    }
}

extension Errno {
    /// A TAP's descriptor whose interface has gone, or that is not attached to one.
    public static let badDescriptorState = Errno(rawValue: EBADFD)
    public static let notConnected = Errno(rawValue: ENOTCONN)
    public static let brokenPipe = Errno(rawValue: EPIPE)
}
