import LinuxSystem
import Synchronization

/// The byte-range locks of one session (Tlock, Tgetlock).
///
/// POSIX locks belong to a process and a file, not to an open file: a process that has a file open twice does not stand
/// in its own way, and a child that closes an inherited file gives up none of its parent's locks. So each process of
/// the client, known by client_id and proc_id, gets one open file of its own for each file it locks, and holds its
/// locks there as open-file-description locks of the host: they conflict with other clients', other sessions' and the
/// host's own.
///
/// The client's kernel settles what happens between its own processes before it asks. It makes flock(2) a lock of the
/// whole file, which any process that has the open file may give up; that request alone has both the whole range and
/// the flag BLOCK.
final class LockTable: Sendable {
    struct Owner: Hashable {
        let device: UInt64
        let inode: UInt64
        let process: UInt32
        let client: [UInt8]
    }

    /// An open file that locks are held on.
    fileprivate final class Handle: Sendable {
        let file: FileDescriptor
        let isWritable: Bool
        private let reservation: Reservation

        init(_ node: Node, isWritable wanted: Bool) throws(Errno) {
            reservation = try node.export.host.reserveDescriptor()
            isWritable = wanted
            guard wanted else {
                file = try node.reopen([.readOnly])
                return
            }
            // For both where possible: a shared lock needs a file that can be read.
            if let both = try? node.reopen([.readWrite]) {
                file = both
            } else {
                file = try node.reopen([.writeOnly])
            }
        }
    }

    fileprivate struct Holder {
        var handle: Handle
        var ranges = LockedRanges()
        /// Serials of the open files that locks were taken through: the last one to be closed ends the locks.
        var files: Set<UInt64> = []
    }

    fileprivate struct State {
        var holders: [Owner: Holder] = [:]
        var rangeCount = 0
        /// Open files that locks were taken through.
        var files: Set<UInt64> = []
    }

    private let state = Mutex(State())
    private let maximumRanges: Int

    init(maximumRanges: Int) {
        self.maximumRanges = maximumRanges
    }

    /// Takes a lock; false when another holds one that conflicts. Throws `.noLocks` when there are too many.
    func lock(_ owner: Owner, through open: OpenFile, _ range: LockRange, _ lock: RangeLock) throws(Errno) -> Bool {
        // flock(2) takes an exclusive lock through a file that is open for reading, and Linux's client, which sees to it that
        // fcntl(2) does not, sends both as the same. The host wants a file that is open for writing.
        let isWritable = lock == .exclusive || open.isWritable
        guard open.isWritable || !isWritable || !open.node.export.isReadOnly else { throw .badDescriptor }
        return try state.withLock { state throws(Errno) in
            // Closed while the request waited: nobody would end the lock.
            guard !open.isClosed.load(ordering: .relaxed) else { throw .badDescriptor }
            // One range can split another in two.
            guard state.rangeCount + 2 <= maximumRanges else { throw .noLocks }
            var holder: Holder
            if let found = state.holders[owner] {
                holder = found
            } else {
                holder = Holder(handle: try Handle(open.node, isWritable: isWritable))
            }
            if lock == .exclusive, !holder.handle.isWritable {
                try Self.makeWritable(&holder, open.node)
                // Closes the old file: its locks would be in the way of the new one's.
                state.holders[owner] = holder
            }
            guard try holder.handle.file.lock(range, lock) else { return false }
            state.rangeCount -= holder.ranges.count
            holder.ranges.insert(range, lock)
            state.rangeCount += holder.ranges.count
            holder.files.insert(open.serial)
            state.files.insert(open.serial)
            state.holders[owner] = holder
            return true
        }
    }

    /// Gives up what the owner holds in the range; of a whole-file request with BLOCK, see above.
    func unlock(_ owner: Owner, through open: OpenFile, _ range: LockRange, hasFlagBlock: Bool) throws(Errno) {
        try state.withLock { state throws(Errno) in
            if var holder = state.holders[owner] {
                try holder.handle.file.unlock(range)
                state.rangeCount -= holder.ranges.count
                holder.ranges.remove(range)
                state.rangeCount += holder.ranges.count
                state.holders[owner] = holder.ranges.isEmpty ? nil : holder
            } else if hasFlagBlock, range.first == 0, range.last == .max {
                state.removeHolders { $0.files.contains(open.serial) }
            }
        }
    }

    /// A lock of another session or process of the host that is in the way.
    func conflict(
        _ owner: Owner, through open: OpenFile, _ range: LockRange, _ lock: RangeLock
    ) throws(Errno) -> LockConflict? {
        try state.withLock { state throws(Errno) in
            // Not through the open file: the owner's own locks, held elsewhere, would be in its way.
            if let holder = state.holders[owner] { return try holder.handle.file.conflict(range, lock) }
            return try open.file.conflict(range, lock)
        }
    }

    /// An open file is closed: locks that were taken only through it end.
    func close(_ open: OpenFile) {
        state.withLock { state in
            open.isClosed.store(true, ordering: .relaxed)
            guard state.files.remove(open.serial) != nil else { return }
            for (owner, var holder) in state.holders where holder.files.remove(open.serial) != nil {
                state.holders[owner] = holder
            }
            state.removeHolders { $0.files.isEmpty }
        }
    }

    func removeAll() {
        state.withLock { $0 = State() }
    }

    /// Ranges held, all in all.
    var count: Int { state.withLock { $0.rangeCount } }

    /// Moves shared locks to a file that is open for writing too; shared locks of two open files do not conflict.
    private static func makeWritable(_ holder: inout Holder, _ node: Node) throws(Errno) {
        let handle = try Handle(node, isWritable: true)
        guard handle.isWritable else { throw .badDescriptor }
        for entry in holder.ranges.entries {
            guard try handle.file.lock(entry.range, entry.lock) else { throw .again }
        }
        holder.handle = handle
    }
}

extension LockTable.State {
    fileprivate mutating func removeHolders(where condition: (LockTable.Holder) -> Bool) {
        for (owner, holder) in holders where condition(holder) {
            rangeCount -= holder.ranges.count
            holders[owner] = nil
        }
    }
}
