import LinuxSystem
import Synchronization

/// The kernel's vsock device for one guest: its address is taken when this is made, and kept until it ends, but for the moment
/// of a reset, in which another may take it.
public final class VhostVsock: Sendable {
    public static let path = "/dev/vhost-vsock"

    /// The guest's address.
    public let contextID: UInt32
    /// VIRTIO_VSOCK_F_STREAM, F_SEQPACKET and whatever else of the device's own the kernel serves.
    let features: UInt64
    /// The device node, to be opened again after a reset; and the way to it.
    private let node: FileDescriptor
    private let descriptors: DescriptorDirectory
    private let opened: Mutex<Opened?>

    private final class Opened: Sendable {
        let file: VhostFile
        init(_ file: consuming VhostFile) { self.file = file }
    }

    /// Feature bits of the device type (virtio 1.2, 2.2): those between are the transport's and the queues'.
    private static let deviceFeatures: UInt64 = 0xFF_FFFF

    /// - Parameter contextID: nil: the lowest that nobody has.
    ///
    /// Throws `.addressInUse` when another guest has the address.
    public init(contextID: UInt32?, among all: ClosedRange<UInt32>) throws(Errno) {
        node = try .open(Self.path, [.pathOnly])
        descriptors = try DescriptorDirectory()
        let file = try VhostFile(try descriptors.reopen(node, .readWrite))
        features = try file.features() & Self.deviceFeatures
        self.contextID = try Self.claim(contextID, among: all, file)
        opened = Mutex(Opened(file))
    }

    private static func claim(
        _ wanted: UInt32?, among all: ClosedRange<UInt32>, _ file: borrowing VhostFile
    ) throws(Errno) -> UInt32 {
        var candidate = wanted ?? all.lowerBound
        while true {
            do throws(Errno) {
                try file.setContextID(candidate)
                return candidate
            } catch {
                guard error == .addressInUse, wanted == nil, candidate < all.upperBound else { throw error }
                candidate += 1
            }
        }
    }

    /// Has the kernel serve the queues: receiving and sending. Throws when it cannot.
    func start(features: UInt64, memory: [VhostFile.Region], queues: [VhostFile.Queue]) throws(Errno) {
        reopen()
        guard let opened = opened.withLock({ $0 }) else { throw .noDevice }
        try opened.file.setFeatures(features)
        try opened.file.setMemory(memory)
        for (index, queue) in queues.enumerated() { try opened.file.setQueue(UInt32(index), queue) }
        try opened.file.start()
    }

    /// Has the kernel stop for a while, and keep its connections; for each queue, the first entry that it has not taken. When it
    /// returns, the kernel touches neither queues nor guest memory any more. nil where it does not serve them.
    func suspend(queueCount: Int) -> [UInt16]? {
        guard let opened = opened.withLock({ $0 }) else { return nil }
        return try? (0..<queueCount).map { (index) throws(Errno) in
            if index == 0 { try opened.file.stop() }
            return try opened.file.base(of: UInt32(index))
        }
    }

    /// Ends all connections. When it returns, the kernel touches neither queues nor guest memory any more.
    func reset() {
        // Closing is what ends connections on the host's side.
        opened.withLock { $0 = nil }
        reopen()
    }

    /// Whether the guest has its address.
    public var isReachable: Bool { opened.withLock { $0 != nil } }

    /// Takes the address again, unless it has it or somebody else does.
    private func reopen() {
        opened.withLock { opened in
            guard opened == nil, let reopened = try? descriptors.reopen(node, .readWrite),
                  let file = try? VhostFile(reopened), (try? file.setContextID(contextID)) != nil else { return }
            opened = Opened(file)
        }
    }
}
