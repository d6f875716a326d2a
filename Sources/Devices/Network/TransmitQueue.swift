import GuestMemory
import LinuxSystem
import Virtio

/// Frames from the driver to the network, of one pair of queues. For the thread that serves it.
struct TransmitQueue: ~Copyable {
    /// Why a round has ended.
    enum Pause {
        /// The driver has no more frames.
        case drained
        /// The network takes no more: it says when it does.
        case blocked
        /// Enough for one round; there may be more.
        case busy
        /// The rate limit: so many nanoseconds.
        case limited(UInt64)
        /// The other side has gone.
        case lost(String)
    }

    private static let roundLimit = 256
    private static let notificationInterval = 64

    private let queue: Virtqueue
    private let chain: DescriptorChain
    private let interrupt: DeviceInterrupt
    private let limiter: RateLimiter?
    private let capture: PacketCapture?
    private var vectors = FrameVectors()
    /// Whether the chain has been taken from the queue and waits for the network.
    private var isPending = false

    init(_ queue: Virtqueue, _ interrupt: DeviceInterrupt, limiter: RateLimiter?, capture: PacketCapture?) {
        self.queue = queue
        self.interrupt = interrupt
        self.limiter = limiter
        self.capture = capture
        chain = DescriptorChain(capacity: Int(queue.size))
    }

    /// Moves frames until one side has no more. Without a link they are dropped.
    mutating func run(to port: NetworkPort.Way?, _ stream: inout FrameStream) throws(QueueError) -> Pause {
        var pause = Pause.busy
        for frames in 1...Self.roundLimit {
            guard let reason = try step(port, &stream) else {
                if frames % Self.notificationInterval == 0 { notify() }
                continue
            }
            pause = reason
            break
        }
        notify()
        return pause
    }

    /// Leaves the frame that waits for the network in the ring.
    mutating func putBack() {
        if isPending { queue.putBack(1) }
        isPending = false
    }

    private func notify() {
        if queue.shouldNotifyDriver() { interrupt.notifyUsedBuffers() }
    }

    /// Moves one frame; nil when that was done, or it was dropped.
    private mutating func step(_ port: NetworkPort.Way?, _ stream: inout FrameStream) throws(QueueError) -> Pause? {
        if !isPending {
            guard try queue.next(chain) else { return .drained }
            guard chain.writableCount == 0, chain.readableCount >= FrameHeader.size else { throw .request }
            isPending = true
        }
        let count = chain.readableCount - FrameHeader.size
        guard let port, count >= FrameSize.minimum, count <= FrameSize.maximum else { return finish(0) }
        vectors.removeAll()
        let skip = port.form == .tap ? 0 : FrameHeader.size
        chain.forEachSlice(writable: false, from: skip, count: chain.readableCount) { vectors.append($0.buffer) }
        do throws(Errno) {
            let isSent = switch port.form {
            case .tap, .frames: try vectors.write(to: port.raw) != nil
            case .stream: try stream.send(vectors, skip: 0, count: count, to: port.raw)
            }
            guard isSent else { return .blocked }
        } catch {
            let isLost = error == .badDescriptorState || error == .brokenPipe || error == .connectionReset
            // Anything else is about this frame alone: malformed, or too much for now. It goes the way of frames.
            return isLost ? .lost("\(error)") : finish(0)
        }
        capture?.record(vectors, skip: FrameHeader.size - skip, count: count)
        return finish(count)
    }

    private mutating func finish(_ count: Int) -> Pause? {
        isPending = false
        queue.push(head: chain.head, written: 0)
        guard count > 0, let delay = limiter?.take(bytes: count), delay > 0 else { return nil }
        return .limited(delay)
    }
}
