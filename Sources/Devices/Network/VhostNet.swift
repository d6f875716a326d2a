import GuestMemory
import LinuxSystem
import Synchronization
import Virtio

/// The host kernel's own server of network queues, to be opened once for each pair.
public final class VhostNetNode: Sendable {
    public static let path = "/dev/vhost-net"

    private let node: FileDescriptor
    private let descriptors: DescriptorDirectory

    /// Throws where there is none, or not for us.
    public init() throws(Errno) {
        node = try .open(Self.path, [.pathOnly])
        descriptors = try DescriptorDirectory()
        _ = try VhostFile(try descriptors.reopen(node, .readWrite))
    }

    func open() throws(Errno) -> VhostFile {
        try VhostFile(try descriptors.reopen(node, .readWrite))
    }
}

/// Queues that the host's kernel serves, from a driver's start to the next reset.
final class VhostNet: Sendable {
    struct Pair {
        let port: NetworkPort
        /// Receiving and sending.
        let queues: [Virtqueue]
        let receive: VhostFile.Queue
        let transmit: VhostFile.Queue
    }

    private final class Opened: @unchecked Sendable {
        // Sound: the queues are touched only when the kernel has let go of them.
        let file: VhostFile
        let port: NetworkPort
        let queues: [Virtqueue]
        init(_ file: consuming VhostFile, _ pair: Pair) {
            self.file = file
            port = pair.port
            queues = pair.queues
        }
    }

    private let pairs: [Opened]

    /// Starts to serve. Throws when the kernel cannot, with nothing started.
    init(_ node: VhostNetNode, features: UInt64, memory: [VhostFile.Region], pairs: [Pair], isUp: Bool) throws(Errno) {
        // What concerns the rings and the headers in them; the rest the TAP does.
        let relevant: UInt64 = 1 << 15 | 1 << 28 | 1 << 29 | 1 << 32
        var opened: [Opened] = []
        for pair in pairs {
            let file = try node.open()
            guard features & relevant & ~(try file.features()) == 0 else { throw .notSupported }
            try file.setFeatures(features & relevant)
            try file.setMemory(memory)
            try file.setQueue(0, pair.receive)
            try file.setQueue(1, pair.transmit)
            opened.append(Opened(file, pair))
        }
        self.pairs = opened
        if isUp { try attach() }
    }

    private func attach() throws(Errno) {
        for pair in pairs {
            for queue in 0..<2 as Range<UInt32> { try pair.file.setBackend(queue, pair.port.raw) }
        }
    }

    /// Without a link frames wait: the guest's in its ring, the network's in the TAP, which drops what is too much.
    func setLink(up: Bool) {
        if up {
            try? attach()
        } else {
            stop()
        }
    }

    /// As `stop`; the queues know then how far the kernel has come.
    func suspend() {
        stop()
        for pair in pairs {
            for (index, queue) in pair.queues.enumerated() {
                if let base = try? pair.file.base(of: UInt32(index)) { queue.takeOver(nextAvailable: base) }
            }
        }
    }

    /// When it returns, the kernel touches neither queues nor guest memory any more.
    func stop() {
        for pair in pairs {
            for queue in 0..<2 as Range<UInt32> { try? pair.file.setBackend(queue, nil) }
        }
    }
}
