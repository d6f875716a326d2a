import LinuxSystem

extension NinePWorker {
    /// size[4] Tlock tag[2] fid[4] type[1] flags[4] start[8] length[8] proc_id[4] client_id[s]
    ///
    /// Nobody waits for a lock here: a request with P9_LOCK_FLAGS_BLOCK is answered P9_LOCK_BLOCKED as any other, and
    /// the client asks again.
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
            case LockNumber.shared:
                if try !session.locks.lock(owner, through: open, range, .shared) { status = LockNumber.blocked }
            case LockNumber.exclusive:
                if try !session.locks.lock(owner, through: open, range, .exclusive) { status = LockNumber.blocked }
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
