import LinuxSystem

extension NinePWorker {
    /// size[4] Tlock tag[2] fid[4] type[1] flags[4] start[8] length[8] proc_id[4] client_id[s]
    ///
    /// A request with P9_LOCK_FLAGS_BLOCK waits a little for the lock, if the server has workers to spare: see
    /// `NinePOptions.lockWaiters`. Then it is answered P9_LOCK_BLOCKED, and the client asks again: Linux after half a minute.
    func lock(_ message: inout MessageReader, _ reply: inout MessageWriter) throws(Errno) {
        let number = try message.word()
        let type = try message.byte()
        let flags = try message.word()
        let (start, length) = (try message.long(), try message.long())
        let process = try message.word()
        let client = try message.string()
        try message.finish()
        let open = try session.fid(number).openFile()
        guard let range = LockRange(start: start, length: length) else { throw .invalidArgument }
        let owner = try Self.owner(open, process, client)
        var status = LockNumber.success
        do throws(Errno) {
            switch type {
            case LockNumber.shared, LockNumber.exclusive:
                let lock: RangeLock = type == LockNumber.shared ? .shared : .exclusive
                let isTaken = try take(mayWait: flags & LockNumber.flagBlock != 0) { () throws(Errno) in
                    try session.locks.lock(owner, through: open, range, lock)
                }
                if !isTaken { status = LockNumber.blocked }
            case LockNumber.unlock:
                let hasFlagBlock = flags & LockNumber.flagBlock != 0
                try session.locks.unlock(owner, through: open, range, hasFlagBlock: hasFlagBlock)
            default:
                throw .invalidArgument
            }
        } catch {
            // The protocol has a status of its own for this one.
            guard error == .noLocks else { throw error }
            status = LockNumber.error
        }
        reply.put(status)
    }

    /// How long a request waits for a lock, and between its attempts at first and at last, in nanoseconds. The host has no call
    /// that waits for a lock and can be told to stop.
    private static let lockPatience: UInt64 = 500_000_000
    private static let firstPause: UInt64 = 50_000
    private static let longestPause: UInt64 = 10_000_000

    /// Tries once, or for some time.
    private func take(mayWait: Bool, _ attempt: () throws(Errno) -> Bool) throws(Errno) -> Bool {
        if try attempt() { return true }
        guard mayWait, session.isPatient, session.beginWaitingForLock() else { return false }
        defer { session.endWaitingForLock() }
        let deadline = Clock.monotonicNanoseconds() + Self.lockPatience
        var pause = Self.firstPause
        while session.isPatient, Clock.monotonicNanoseconds() < deadline {
            Clock.pause(nanoseconds: pause)
            if try attempt() { return true }
            pause = min(2 * pause, Self.longestPause)
        }
        return false
    }

    /// size[4] Tgetlock tag[2] fid[4] type[1] start[8] length[8] proc_id[4] client_id[s]
    ///
    /// Linux asks with the type "unlock", whatever it wants to know; that is taken as a question for an exclusive lock.
    func getlock(_ message: inout MessageReader, _ reply: inout MessageWriter) throws(Errno) {
        let number = try message.word()
        let type = try message.byte()
        let (start, length) = (try message.long(), try message.long())
        let process = try message.word()
        let client = try message.string()
        try message.finish()
        guard type <= LockNumber.unlock else { throw .invalidArgument }
        let open = try session.fid(number).openFile()
        guard let range = LockRange(start: start, length: length) else { throw .invalidArgument }
        let owner = try Self.owner(open, process, client)
        let wanted: RangeLock = type == LockNumber.shared ? .shared : .exclusive
        if let conflict = try session.locks.conflict(owner, through: open, range, wanted) {
            reply.put(conflict.lock == .shared ? LockNumber.shared : LockNumber.exclusive)
            reply.put(UInt64(conflict.range.first))
            reply.put(conflict.range.length)
            reply.put(conflict.process)
        } else {
            reply.put(LockNumber.unlock)
            reply.put(start)
            reply.put(length)
            reply.put(process)
        }
        reply.put(string: client)
    }

    private static func owner(
        _ open: OpenFile, _ process: UInt32, _ client: UnsafeRawBufferPointer
    ) throws(Errno) -> LockTable.Owner {
        guard !open.isDirectory else { throw .invalidArgument }
        // A host name, in Linux.
        guard client.count <= 255 else { throw .nameTooLong }
        return LockTable.Owner(device: open.node.device, inode: open.node.inode, process: process,
                               client: Array(client))
    }
}
