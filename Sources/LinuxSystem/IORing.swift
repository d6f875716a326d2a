import CLinux
import Glibc

/// An io_uring(7): requests to the kernel in one ring of shared memory, their results in another.
///
/// For one thread: the one that makes it. What a request points to stays where it is until its completion was taken.
public struct IORing: ~Copyable {
    /// What a request asks for (enum io_uring_op).
    public enum Operation: UInt32 {
        case readVectored = 1, writeVectored = 2, synchronize = 3, pollAdd = 6, fallocate = 17, read = 22, write = 23
    }

    public struct Completion {
        /// As given with the request.
        public let tag: UInt64
        /// Bytes, or a negative error number.
        public let result: Int32
        /// Whether the request goes on and will have further completions.
        public let hasMore: Bool
    }

    private let descriptor: FileDescriptor
    private let rings: MemoryMapping
    private let entries: MemoryMapping
    private let submissionMask: UInt32
    private let completionMask: UInt32
    private let offsets: Offsets
    /// Our copies of the indices that only this side moves.
    private var submissionTail: UInt32
    private var completionHead: UInt32
    private var hasRegisteredFiles = false

    private struct Offsets {
        let submissionHead: Int
        let submissionTail: Int
        let completionHead: Int
        let completionTail: Int
        let completions: Int
    }

    /// - Parameter entries: requests that fit before they are submitted, rounded up to a power of two; twice as many
    ///   completions fit.
    ///
    /// The corresponding C function is `io_uring_setup`.
    public init(entries count: UInt32) throws(Errno) {
        var parameters = io_uring_params()
        let descriptor = try Self.setUp(count, &parameters)
        let (submission, completion) = (parameters.sq_off, parameters.cq_off)
        // One mapping for both rings: IORING_FEAT_SINGLE_MMAP, Linux 5.4.
        guard parameters.features & 1 != 0 else { throw Errno(rawValue: ENOSYS) }
        let submissionEnd = Int(submission.array) + 4 * Int(parameters.sq_entries)
        let completionEnd = Int(completion.cqes) + 16 * Int(parameters.cq_entries)
        let rings = try MemoryMapping(sharing: descriptor.raw, count: max(submissionEnd, completionEnd))
        let entries = try MemoryMapping(sharing: descriptor.raw, count: 64 * Int(parameters.sq_entries),
                                        offset: 0x1000_0000)  // IORING_OFF_SQES
        submissionMask = parameters.sq_entries - 1
        completionMask = parameters.cq_entries - 1
        offsets = Offsets(submissionHead: Int(submission.head), submissionTail: Int(submission.tail),
                          completionHead: Int(completion.head), completionTail: Int(completion.tail),
                          completions: Int(completion.cqes))
        // Entry n of the ring is always the entry n of the array.
        let array = (rings.base + Int(submission.array)).bindMemory(to: UInt32.self, capacity: Int(parameters.sq_entries))
        for index in 0..<parameters.sq_entries { array[Int(index)] = index }
        submissionTail = svmm_load_acquire_u32(rings.base + offsets.submissionTail)
        completionHead = svmm_load_acquire_u32(rings.base + offsets.completionHead)
        self.descriptor = descriptor
        self.rings = rings
        self.entries = entries
    }

    deinit {
        // The kernel takes a closed ring apart later; registered files are to be let go of now.
        if hasRegisteredFiles { _ = svmm_io_uring_register(descriptor.raw, 3, nil, 0) }  // IORING_UNREGISTER_FILES
    }

    private static func setUp(_ count: UInt32, _ parameters: inout io_uring_params) throws(Errno) -> FileDescriptor {
        // From the cheapest way of telling of completions (Linux 6.1) to what every kernel has.
        let choices = [UInt32(SVMM_IORING_SETUP_FOR_ONE_THREAD.rawValue), UInt32(SVMM_IORING_SETUP_COOP_TASKRUN.rawValue), 0]
        var last = Errno.invalidArgument
        for flags in choices where last == .invalidArgument {
            parameters = io_uring_params()
            parameters.flags = flags | UInt32(SVMM_IORING_SETUP_CLAMP.rawValue)
            let raw = svmm_io_uring_setup(count, &parameters)
            if raw >= 0 { return FileDescriptor(owning: raw) }
            last = .current
        }
        throw last
    }

    /// Files that requests name by their index instead of their number, which saves the kernel a look-up. In place of those
    /// registered before; none may be in use. The corresponding C function is `io_uring_register` (IORING_REGISTER_FILES).
    public mutating func register(files: [Int32]) throws(Errno) {
        if hasRegisteredFiles { _ = svmm_io_uring_register(descriptor.raw, 3, nil, 0) }
        hasRegisteredFiles = false
        _ = try once { files.withUnsafeBytes { svmm_io_uring_register(descriptor.raw, 2, $0.baseAddress, UInt32(files.count)) } }
        hasRegisteredFiles = true
    }

    /// Whether requests wait to be submitted.
    public var hasUnsubmitted: Bool { unsubmittedCount > 0 }

    private var unsubmittedCount: UInt32 {
        submissionTail &- svmm_load_acquire_u32(rings.base + offsets.submissionHead)
    }

    /// Where a request's file is found.
    public enum File {
        case registered(Int32)
        case number(Int32)
    }

    /// A transfer between a registered or other file and the list's areas; false when the ring is full. The list stays as it
    /// is until the completion.
    ///
    /// - Parameters:
    ///   - durable: a write is on the disk before it completes (RWF_DSYNC).
    ///   - isAsynchronous: leave it to another thread of the kernel at once.
    public mutating func prepareTransfer(
        _ file: File, _ vectors: borrowing IOVectorList, isRead: Bool, offset: UInt64, durable: Bool,
        isAsynchronous: Bool, tag: UInt64
    ) -> Bool {
        let flags: UInt32 = durable ? 2 : 0
        let (pointer, count) = (vectors.pointer, vectors.callCount)
        if count == 1 {
            // Cheaper for the kernel than a list of one area; a request's length has 32 bits, and results 31.
            let length = UInt32(min(pointer[0].iov_len, 1 << 30))
            return prepare(isRead ? .read : .write, file, pointer[0].iov_base, length, offset, flags, isAsynchronous, tag)
        }
        return prepare(isRead ? .readVectored : .writeVectored, file, UnsafeRawPointer(pointer), UInt32(count), offset, flags,
                       isAsynchronous, tag)
    }

    /// As fdatasync(2); false when the ring is full.
    public mutating func prepareSynchronization(_ file: File, tag: UInt64) -> Bool {
        prepare(.synchronize, file, nil, 0, 0, 1, false, tag)  // IORING_FSYNC_DATASYNC
    }

    /// Completes each time the descriptor gets input, until the ring ends; false when the ring is full. A completion
    /// without `hasMore` is the last one.
    public mutating func prepareMultishotPoll(_ raw: Int32, tag: UInt64) -> Bool {
        prepare(.pollAdd, .number(raw), nil, 1, 0, UInt32(POLLIN), false, tag)  // IORING_POLL_ADD_MULTI
    }

    private mutating func prepare(
        _ operation: Operation, _ file: File, _ address: UnsafeRawPointer?, _ length: UInt32, _ offset: UInt64,
        _ operationFlags: UInt32, _ isAsynchronous: Bool, _ tag: UInt64
    ) -> Bool {
        guard unsubmittedCount <= submissionMask else { return false }
        var flags: UInt32 = isAsynchronous ? UInt32(SVMM_IOSQE_ASYNC.rawValue) : 0
        let number: Int32
        switch file {
        case .registered(let index):
            number = index
            flags |= UInt32(SVMM_IOSQE_FIXED_FILE.rawValue)
        case .number(let raw):
            number = raw
        }
        let entry = (entries.base + 64 * Int(submissionTail & submissionMask)).assumingMemoryBound(to: io_uring_sqe.self)
        svmm_io_uring_prepare(entry, operation.rawValue, flags, number, address, length, offset, operationFlags, tag)
        submissionTail &+= 1
        svmm_store_release_u32(rings.base + offsets.submissionTail, submissionTail)
        return true
    }

    /// Gives what was prepared to the kernel, and waits until there is at least a completion or a signal comes, if asked to.
    /// `Errno.busy` and `Errno.again`: completions must be taken first, or the kernel lacks memory for the moment. The
    /// corresponding C function is `io_uring_enter`.
    public mutating func submit(waiting: Bool) throws(Errno) {
        let getEvents: UInt32 = 1  // IORING_ENTER_GETEVENTS
        if svmm_io_uring_enter(descriptor.raw, unsubmittedCount, waiting ? 1 : 0, getEvents) < 0 {
            let error = Errno.current
            if error != .interrupted { throw error }
        }
    }

    /// The next completion; nil when there is none.
    public mutating func nextCompletion() -> Completion? {
        guard svmm_load_acquire_u32(rings.base + offsets.completionTail) != completionHead else { return nil }
        let place = rings.base + offsets.completions + 16 * Int(completionHead & completionMask)
        let completion = Completion(
            tag: place.load(as: UInt64.self), result: place.load(fromByteOffset: 8, as: Int32.self),
            hasMore: place.load(fromByteOffset: 12, as: UInt32.self) & 2 != 0)  // IORING_CQE_F_MORE
        completionHead &+= 1
        svmm_store_release_u32(rings.base + offsets.completionHead, completionHead)
        return completion
    }
}
