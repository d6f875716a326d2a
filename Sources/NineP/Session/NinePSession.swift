import LinuxSystem
import Synchronization

/// One client's use of a server: its fids, its locks and the requests under way.
///
/// A transport does three things with each request: it calls `admit` in the order in which requests arrive, has one of
/// its `NinePWorker`s serve it, on any thread, and calls `finish` when the reply can no longer overtake another, that
/// is, when it has been sent. Workers take requests in the order of their tickets, and a thread finishes one before it
/// serves the next: a Tflush waits, in `serve`, until the requests before it that it names are finished.
public final class NinePSession: Sendable {
    let server: NinePServer
    let inFlight = InFlight()
    let locks: LockTable
    /// Bytes of extended attributes.
    let attributeBytes: Budget
    private let fids = Mutex<[UInt32: Fid]>([:])
    private let nextSerial = Atomic<UInt64>(0)
    private let lockWaiters = Atomic<Int>(0)
    private let patience = Atomic<Bool>(true)
    /// Agreed by Tversion; 0 before.
    private let messageSize = Atomic<UInt32>(0)

    init(server: NinePServer) {
        self.server = server
        locks = LockTable(maximumRanges: server.options.maximumLocks)
        attributeBytes = Budget(limit: server.options.maximumAttributeBytes)
    }

    /// Takes a request: from now on Tflush knows of it. In the order of arrival, one request at a time. nil for what is
    /// no message, having no header or no room for any reply; it cannot be answered.
    public func admit(_ buffers: any MessageBuffers) -> NinePTicket? {
        guard buffers.requestCount >= Limits.headerSize,
              buffers.replyCapacity >= Limits.errorReplySize else { return nil }
        var header: UInt64 = 0
        let count = withUnsafeMutableBytes(of: &header) { bytes in
            buffers.copyRequest(at: 0, into: UnsafeMutableRawBufferPointer(rebasing: bytes[..<Limits.headerSize]))
        }
        guard count == Limits.headerSize else { return nil }
        // size[4] type[1] tag[2]
        let value = UInt64(littleEndian: header)
        let tag = UInt16(truncatingIfNeeded: value >> 40)
        return NinePTicket(sequence: inFlight.begin(tag: tag), size: UInt32(truncatingIfNeeded: value),
                           type: UInt8(truncatingIfNeeded: value >> 32), tag: tag)
    }

    /// The reply has been sent, or the request dropped.
    public func finish(_ ticket: NinePTicket) {
        inFlight.end(ticket.sequence)
    }

    /// Forgets everything, as when a client is gone: closes files, ends locks. No request is under way.
    public func reset() {
        messageSize.store(0, ordering: .relaxed)
        // Files are closed outside the lock.
        let old = fids.withLock { fids in
            defer { fids = [:] }
            return fids
        }
        locks.removeAll()
        withExtendedLifetime(old) {}
    }

    /// Fids in use.
    public var fidCount: Int { fids.withLock { $0.count } }

    /// msize: 0 until Tversion.
    var maximumMessageSize: UInt32 { messageSize.load(ordering: .relaxed) }

    func agree(onMessageSize size: UInt32) {
        messageSize.store(size, ordering: .relaxed)
    }

    func nextOpenFileSerial() -> UInt64 {
        nextSerial.add(1, ordering: .relaxed).newValue
    }

    /// Whether requests may wait for a lock, as `NinePOptions.lockWaiters` has it: true at first. When a transport that wants to
    /// stop sets it false, those that wait are answered P9_LOCK_BLOCKED, within ten milliseconds.
    public var isPatient: Bool {
        get { patience.load(ordering: .relaxed) }
        set { patience.store(newValue, ordering: .relaxed) }
    }

    /// Whether one more worker may wait for a lock: some have to stay for the request that gives it up.
    func beginWaitingForLock() -> Bool {
        if lockWaiters.add(1, ordering: .relaxed).newValue <= server.options.lockWaiters { return true }
        endWaitingForLock()
        return false
    }

    func endWaitingForLock() {
        lockWaiters.subtract(1, ordering: .relaxed)
    }

    func fid(_ number: UInt32) throws(Errno) -> Fid {
        guard let fid = fids.withLock({ $0[number] }) else { throw .badDescriptor }
        return fid
    }

    /// Gives a number to a new fid. Throws `.invalidArgument` when the number is in use or none, `.tooManyFiles` when
    /// there are too many.
    func insert(_ fid: Fid, as number: UInt32) throws(Errno) {
        guard number != Limits.noFid else { throw .invalidArgument }
        let limit = server.options.maximumFids
        let error: Errno? = fids.withLock { fids in
            guard fids[number] == nil else { return .invalidArgument }
            guard fids.count < limit else { return .tooManyFiles }
            fids[number] = fid
            return nil
        }
        if let error { throw error }
        // A share that is removed meanwhile may have missed this fid.
        fid.forgetRemovedShare()
    }

    /// In the order of their numbers.
    var allFids: [(number: UInt32, fid: Fid)] {
        fids.withLock { $0.map { ($0.key, $0.value) } }.sorted { $0.number < $1.number }
    }

    /// Becomes what another session was; this one has not been used.
    func adopt(_ restored: [UInt32: Fid], messageSize size: UInt32) {
        agree(onMessageSize: size)
        fids.withLock { $0 = restored }
        // As in `insert`.
        for fid in restored.values { fid.forgetRemovedShare() }
    }

    func hasFid(_ number: UInt32) -> Bool {
        fids.withLock { $0[number] != nil }
    }

    func remove(_ number: UInt32) throws(Errno) -> Fid {
        guard let fid = fids.withLock({ $0.removeValue(forKey: number) }) else { throw .badDescriptor }
        return fid
    }

    func forget(_ export: Export) {
        let all = fids.withLock { Array($0.values) }
        for fid in all {
            if let file = fid.forget(export) { locks.close(file) }
        }
    }
}
