import LinuxSystem
import NineP
import Synchronization
import Virtio
import Wire

/// The virtio 9P transport (device type 9, as Linux's net/9p/trans_virtio.c and QEMU have it; virtio 1.2 reserves the number and
/// describes no more): one queue of requests, each a chain of the message's bytes and the room for the reply.
///
/// From reset to reset its driver is one client of the server, also when the device stands still meanwhile.
public final class FileSharingDevice: VirtioDevice {
    public let type = DeviceType.nineP
    /// VIRTIO_9P_MOUNT_TAG: the configuration space has the tag.
    public let features: UInt64 = 1
    /// Linux takes up to 128 areas for a message, and as many requests at once as there are descriptors.
    public let queueSizes: [UInt16] = [128]
    /// The tag's length in 16 bits, and the tag (struct virtio_9p_config, linux/virtio_9p.h).
    public let configuration: [UInt8]

    private let server: NinePServer
    private let state = Mutex(State.idle(nil))

    private enum State: Sendable {
        /// No driver; or with the session of one, standing still.
        case idle(NinePSession?)
        case active(FileRequestQueue)
    }

    /// Requests that are served at the same time.
    public static let threadCount = 4
    /// Bytes of a tag.
    public static let tagLengths = 1...255

    /// - Parameter tag: what the guest mounts it by: `tagLengths` bytes of UTF-8.
    public init(server: NinePServer, tag: String) {
        let name = Array(tag.utf8)
        precondition(Self.tagLengths.contains(name.count))
        configuration = [UInt8(name.count), 0] + name
        self.server = server
    }

    public func activate(_ context: DeviceContext) {
        guard let queue = context.queues[0] else { return }
        do throws(Errno) {
            let session = if case .idle(let session?) = state.withLock({ $0 }) { session } else { server.makeSession() }
            let new = try FileRequestQueue(queue, context, session: session)
            state.withLock { $0 = .active(new) }
            try new.start(threadCount: Self.threadCount)
        } catch {
            context.interrupt.fail()
        }
    }

    public func reset() {
        let old = state.withLock { state in
            defer { state = .idle(nil) }
            return state
        }
        switch old {
        case .idle(let session): session?.reset()
        case .active(let requests): requests.stop()
        }
    }

    /// Every request that was taken has been answered when this returns; the client keeps its fids, and its locks.
    public func suspend() {
        guard case .active(let requests) = state.withLock({ $0 }) else { return }
        requests.suspend()
        state.withLock { $0 = .idle(requests.session) }
    }

    /// The client's fids, by the paths of their files (`NinePSession.saved`), of a device that stands still; nothing when there is
    /// no client.
    public var savedState: [UInt8] {
        guard case .idle(let session?) = state.withLock({ $0 }) else { return [] }
        return session.saved().encoded
    }

    /// The client's fids, with the files that the server's shares have now: `NinePServer.restore`.
    public func restore(_ saved: [UInt8]) throws(SavedStateError) {
        guard !saved.isEmpty else { return }
        do throws(WireError) {
            let session = server.restore(try SavedSession(encoded: saved))
            state.withLock { $0 = .idle(session) }
        } catch {
            throw SavedStateError("the files that its client has open do not decode (\(error)); it was saved by another version")
        }
    }
}

/// A chain is one request: what the device reads is the message, what it writes is the room for the reply.
extension DescriptorChain: MessageBuffers {
    public var requestCount: Int { readableCount }
    public var replyCapacity: Int { writableCount }

    public func copyRequest(at offset: Int, into bytes: UnsafeMutableRawBufferPointer) -> Int {
        read(at: offset, into: bytes)
    }

    public func copyReply(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> Int {
        write(bytes, at: offset)
    }

    public func gatherRequest(from offset: Int, count: Int, into vectors: inout IOVectorList) -> Bool {
        gather(writable: false, from: offset, count: count, into: &vectors)
    }

    public func gatherReply(from offset: Int, count: Int, into vectors: inout IOVectorList) -> Bool {
        gather(writable: true, from: offset, count: count, into: &vectors)
    }
}
