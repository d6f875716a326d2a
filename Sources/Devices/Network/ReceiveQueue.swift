import GuestMemory
import LinuxSystem
import Virtio

/// Frames from the network to the driver, of one pair of queues. For the thread that serves it.
struct ReceiveQueue: ~Copyable {
    /// Why a round has ended.
    enum Pause {
        /// The network has no more frames: it says when it has.
        case drained
        /// The driver has given no more buffers.
        case starved
        /// Enough for one round; there may be more.
        case busy
        /// The rate limit: so many nanoseconds.
        case limited(UInt64)
        /// The other side has gone.
        case lost(String)
    }

    /// Frames of a round, so that other duties of the thread get their turn.
    private static let roundLimit = 256
    /// Frames after which the driver is told, in the middle of a round.
    private static let notificationInterval = 64

    var filter: ReceiveFilter
    private let queue: Virtqueue
    private let interrupt: DeviceInterrupt
    private let limiter: RateLimiter?
    private let capture: PacketCapture?
    private let clearsFlags: Bool
    private var buffers: ReceiveBuffers
    /// Room to gather before a read: grows when a frame was longer.
    private var wanted: Int
    /// A frame header, and behind it room for a frame, or for what of one did not fit.
    private let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: 2 * FrameSize.maximum, alignment: 16)
    /// A frame that waits for buffers; it lies in the scratch, or in the stream's input.
    private var held: UnsafeRawBufferPointer?

    /// - Parameters:
    ///   - frameLimit: bytes of the largest frame to expect, header counted.
    init(
        _ queue: Virtqueue, _ interrupt: DeviceInterrupt, features: NetworkFeatures, frameLimit: Int, filter: ReceiveFilter,
        limiter: RateLimiter?, capture: PacketCapture?
    ) {
        self.queue = queue
        self.interrupt = interrupt
        self.filter = filter
        self.limiter = limiter
        self.capture = capture
        clearsFlags = !features.contains(.guestChecksum)
        wanted = min(frameLimit, FrameSize.maximum)
        buffers = ReceiveBuffers(queue, isMergeable: features.contains(.mergeableBuffers))
        scratch.initializeMemory(as: UInt8.self, repeating: 0)
    }

    deinit {
        scratch.deallocate()
    }

    /// Forgets what belongs to another connection.
    mutating func reset() {
        held = nil
        clearHeader()
    }

    /// Moves frames until one side has no more.
    mutating func run(from port: NetworkPort.Way, _ stream: inout FrameStream, isUp: Bool) throws(QueueError) -> Pause {
        var pause = Pause.busy
        for frames in 1...Self.roundLimit {
            guard let reason = try step(port, &stream, isUp: isUp) else {
                if frames % Self.notificationInterval == 0 { notify() }
                continue
            }
            pause = reason
            break
        }
        notify()
        return pause
    }

    /// Leaves the buffers that no frame has used in the ring. A frame that waits for more of them is lost, as on a full wire.
    mutating func putBack() {
        held = nil
        buffers.putBack()
    }

    private func notify() {
        if queue.shouldNotifyDriver() { interrupt.notifyUsedBuffers() }
    }

    /// Moves one frame; nil when that was done, or it was dropped.
    private mutating func step(_ port: NetworkPort.Way, _ stream: inout FrameStream, isUp: Bool) throws(QueueError) -> Pause? {
        if held != nil, isUp { return try deliverHeld() }
        held = nil
        do {
            switch port.form {
            case .tap where isUp: return try readIntoBuffers(port.raw)
            case .tap, .frames:
                guard let count = try readIntoScratch(port.raw) else { return .drained }
                if count == 0 { return .lost("the other side has closed the connection") }
                if isUp, count >= FrameSize.minimum {
                    held = UnsafeRawBufferPointer(rebasing: scratch[FrameHeader.size..<(FrameHeader.size + count)])
                }
                return nil
            case .stream:
                if let frame = try stream.next() {
                    if isUp { held = frame }
                    return nil
                }
                guard let count = try stream.fill(from: port.raw) else { return .drained }
                return count > 0 ? nil : .lost("the other side has closed the connection")
            }
        } catch let error as QueueError {
            throw error
        } catch let error as FrameStream.Malformed {
            return .lost("a frame of \(error.length) bytes was announced, which is no length of a frame")
        } catch {
            return .lost("\(error)")
        }
    }

    /// Reads a frame, to be dropped or to be held, behind the header. nil when there is none.
    private func readIntoScratch(_ raw: Int32) throws(Errno) -> Int? {
        try readNow(raw, into: UnsafeMutableRawBufferPointer(rebasing: scratch[FrameHeader.size...]))
    }

    private func clearHeader() {
        for index in 0..<FrameHeader.size { scratch[index] = 0 }
    }

    /// Straight from the TAP into the driver's buffers, with what is too long for them into the scratch.
    private mutating func readIntoBuffers(_ raw: Int32) throws -> Pause? {
        if try !buffers.gather(wanted), buffers.isEmpty { return .starved }
        let room = buffers.bytes
        let overflow = UnsafeMutableRawBufferPointer(rebasing: scratch[(scratch.count - FrameSize.maximum)...])
        guard let count = try buffers.read(from: raw, overflow: overflow) else { return .drained }
        if count <= FrameHeader.size { return nil }
        if count > room {
            wanted = FrameSize.maximum
            guard buffers.canGrow, count <= FrameSize.maximum else { return nil }
            // The whole of it, header and all, to be given to the driver with more buffers. Both parts have room: together they
            // are one frame.
            let head = UnsafeMutableRawBufferPointer(rebasing: scratch[..<room])
            buffers.vectors.copy(to: head)
            (scratch.baseAddress! + room).copyMemory(from: overflow.baseAddress!, byteCount: count - room)
            if clearsFlags { scratch[FrameHeader.flagsOffset] = 0 }
            held = UnsafeRawBufferPointer(rebasing: scratch[FrameHeader.size..<count])
            return nil
        }
        if clearsFlags { withUnsafeBytes(of: 0 as UInt8) { _ = buffers.vectors.copy(from: $0, at: FrameHeader.flagsOffset) } }
        return finish(count)
    }

    /// Gives the driver the frame that waits.
    private mutating func deliverHeld() throws(QueueError) -> Pause? {
        guard let frame = held else { return nil }
        let size = FrameHeader.size + frame.count
        if try !buffers.gather(size) {
            guard buffers.canGrow else {
                // The driver has no room for it, and cannot make any.
                reset()
                return nil
            }
            return .starved
        }
        buffers.vectors.copy(from: UnsafeRawBufferPointer(rebasing: scratch[..<FrameHeader.size]))
        buffers.vectors.copy(from: frame, at: FrameHeader.size)
        reset()
        return finish(size)
    }

    /// The frame is in the buffers: gives it to the driver, if that wants it.
    private mutating func finish(_ size: Int) -> Pause? {
        let count = size - FrameHeader.size
        if !filter.isPromiscuous {
            var address: UInt64 = 0
            withUnsafeMutableBytes(of: &address) {
                _ = buffers.vectors.copy(to: UnsafeMutableRawBufferPointer(rebasing: $0[..<EthernetAddress.size]),
                                         at: FrameHeader.size)
            }
            guard filter.accepts(EthernetAddress(rawValue: UInt64(littleEndian: address))) else { return nil }
        }
        capture?.record(buffers.vectors, skip: FrameHeader.size, count: count)
        buffers.publish(size)
        guard let delay = limiter?.take(bytes: count), delay > 0 else { return nil }
        return .limited(delay)
    }
}
