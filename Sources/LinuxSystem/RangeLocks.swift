import CLinux
import Glibc

/// A kind of byte-range lock.
public enum RangeLock: Sendable {
    case shared
    case exclusive

    fileprivate var type: Int32 { self == .shared ? F_RDLCK : F_WRLCK }
}

/// A range of bytes of a file.
public struct LockRange: Sendable, Equatable {
    public var first: Int64
    /// Int64.max reaches to the end of every file.
    public var last: Int64

    /// Of locks in the C interface: a length of 0 reaches to the end. nil when there is no such range.
    public init?(start: UInt64, length: UInt64) {
        guard let first = Int64(exactly: start) else { return nil }
        guard length > 0 else {
            self.init(first: first, last: .max)
            return
        }
        let (end, overflow) = start.addingReportingOverflow(length - 1)
        guard !overflow, let last = Int64(exactly: end) else { return nil }
        self.init(first: first, last: last)
    }

    /// `first` is not after `last`, and neither is negative.
    public init(first: Int64, last: Int64) {
        self.first = first
        self.last = last
    }

    /// As the C interface has it.
    public var length: UInt64 { last == .max ? 0 : UInt64(last - first) + 1 }
}

// Open-file-description locks (fcntl_locking(2)): they belong to the open file and end with it.
extension FileDescriptor {
    /// Takes a lock; false when another open file holds one that conflicts. The corresponding C function is `fcntl`
    /// (F_OFD_SETLK).
    public func lock(_ range: LockRange, _ lock: RangeLock) throws(Errno) -> Bool {
        do throws(Errno) {
            _ = try retryingInterrupts { svmm_lock_range(raw, lock.type, range.first, Int64(range.length)) }
            return true
        } catch {
            if error == .again || error == .accessDenied { return false }
            throw error
        }
    }

    /// Gives up what this open file holds in the range. The corresponding C function is `fcntl` (F_OFD_SETLK).
    public func unlock(_ range: LockRange) throws(Errno) {
        _ = try retryingInterrupts { svmm_lock_range(raw, F_UNLCK, range.first, Int64(range.length)) }
    }

    /// A lock of somebody else that `lock` would meet, nil when there is none; `process` is 0 where the holder is no
    /// process. The corresponding C function is `fcntl` (F_OFD_GETLK).
    public func conflict(_ range: LockRange, _ lock: RangeLock) throws(Errno) -> LockConflict? {
        var test = flock()
        test.l_type = Int16(lock.type)
        test.l_start = off_t(range.first)
        test.l_len = off_t(range.length)
        _ = try retryingInterrupts { svmm_test_lock_range(raw, &test) }
        guard test.l_type != Int16(F_UNLCK),
              let range = LockRange(start: UInt64(clamping: test.l_start), length: UInt64(clamping: test.l_len))
        else { return nil }
        return LockConflict(lock: test.l_type == Int16(F_RDLCK) ? .shared : .exclusive, range: range,
                            process: UInt32(clamping: test.l_pid))
    }
}

/// A lock in the way of another.
public struct LockConflict: Sendable {
    public let lock: RangeLock
    public let range: LockRange
    public let process: UInt32
}
