import LinuxSystem
import Synchronization

/// The file or block device behind a raw disk, locked for as long as it is open.
///
/// Any thread may use it; requests in flight at the same time are the guest's to order.
public final class DiskFile: Sendable {
    public static let sectorSize: UInt64 = 512

    /// Holds the lock, and takes holes and zeros, which the kernel lets only the holder of a block device put over data that is not
    /// yet written to it. It is used for nothing that could keep it open longer than this object lives: io_uring lets go of its
    /// files only some time after a process has ended.
    private let lock: FileDescriptor
    /// For transfers through the page cache.
    let file: FileDescriptor
    /// For transfers past it.
    let direct: DirectFile?
    public let cache: DiskCache
    public let isReadOnly: Bool
    /// What was found out about it when it was opened.
    let traits: DiskTraits
    private let currentSize: Atomic<UInt64>
    /// FALLOC_FL_ZERO_RANGE, until the file system has refused it.
    private let zeroesRanges = Atomic<Bool>(true)

    /// Bytes; a multiple of the sector size.
    public var size: UInt64 { currentSize.load(ordering: .acquiring) }

    /// Opens and locks it: one writer, or any number of readers.
    ///
    /// - Parameter creationSize: bytes. Where the file is missing, or empty, it is made with that size and no blocks; where
    ///   it is there, it must have that size.
    public init(
        path: String, readOnly: Bool, cache: DiskCache = .writeback, creationSize: UInt64? = nil
    ) throws(DiskError) {
        let lock = try Self.openLocked(path, readOnly: readOnly, create: creationSize != nil)
        let size = try Self.size(of: lock, creationSize: creationSize)
        let file = try Self.reopen(lock, readOnly: readOnly)
        var traits = try Self.traits(of: file)
        let direct = cache == .none ? try DirectFile(file, readOnly: readOnly) : nil
        if let direct {
            traits.logicalBlockSize = max(traits.logicalBlockSize, UInt32(direct.offsetAlignment))
            traits.physicalBlockSize = max(traits.physicalBlockSize, traits.logicalBlockSize)
        }
        if !readOnly { traits.probeRangeOperations(file, size: size) }
        self.lock = lock
        self.file = file
        self.direct = direct
        self.traits = traits
        self.cache = cache
        isReadOnly = readOnly
        currentSize = Atomic(size)
    }

    private static func openLocked(_ path: String, readOnly: Bool, create: Bool) throws(DiskError) -> FileDescriptor {
        let file = try open(path, readOnly: readOnly, create: create)
        try checkKind(file)
        let isLocked = try asDiskError { () throws(Errno) in try file.tryLock(exclusive: !readOnly) }
        guard isLocked else { throw .inUse(writable: !readOnly) }
        return file
    }

    private static func open(_ path: String, readOnly: Bool, create: Bool) throws(DiskError) -> FileDescriptor {
        do throws(Errno) {
            return try openExclusively(path, readOnly: readOnly, create: create)
        } catch {
            switch error {
            case .isDirectory: throw .kind("a directory")
            case .busy: throw .inUse(writable: true)
            default: throw .open(error)
            }
        }
    }

    private static func openExclusively(_ path: String, readOnly: Bool, create: Bool) throws(Errno) -> FileDescriptor {
        // Non-blocking, so that a FIFO is refused later and not waited for.
        let mode: OpenMode = readOnly ? [.readOnly, .nonBlocking] : [.readWrite, .nonBlocking]
        let opened = try FileDescriptor.open(path, create && !readOnly ? mode.union(.create) : mode)
        guard !readOnly, try opened.status().kind == .blockDevice else { return opened }
        // The kernel gives a block device, under whatever name, one exclusive opening, and none while it or a part of it is
        // mounted.
        return try FileDescriptor.open(path, mode.union(.exclusive))
    }

    private static func reopen(_ lock: borrowing FileDescriptor, readOnly: Bool) throws(DiskError) -> FileDescriptor {
        do throws(Errno) {
            return try lock.reopened(readOnly ? .readOnly : .readWrite)
        } catch {
            return try duplicate(lock)
        }
    }

    /// Without /proc: a file that shares the lock does as well, but for how soon it is let go of.
    private static func duplicate(_ lock: borrowing FileDescriptor) throws(DiskError) -> FileDescriptor {
        do throws(Errno) {
            return try lock.duplicate()
        } catch {
            throw .open(error)
        }
    }

    private static func traits(of file: borrowing FileDescriptor) throws(DiskError) -> DiskTraits {
        do throws(Errno) {
            return try DiskTraits(of: file)
        } catch {
            throw .open(error)
        }
    }

    private static func checkKind(_ file: borrowing FileDescriptor) throws(DiskError) {
        switch try asDiskError({ () throws(Errno) in try file.status().kind }) {
        case .regular, .blockDevice: return
        case .directory: throw .kind("a directory")
        case .characterDevice: throw .kind("a character device")
        case .fifo: throw .kind("a FIFO")
        case .socket: throw .kind("a socket")
        case .other: throw .kind("a special file")
        }
    }

    private static func size(
        of file: borrowing FileDescriptor, creationSize: UInt64?
    ) throws(DiskError) -> UInt64 {
        let status = try asDiskError { () throws(Errno) in try file.status() }
        var size = status.size
        if status.kind == .blockDevice {
            size = try asDiskError { () throws(Errno) in try file.blockDeviceSize() }
        } else if size == 0, let creationSize {
            try asDiskError { () throws(Errno) in try file.setSize(creationSize) }
            size = creationSize
        }
        guard size > 0 else { throw .empty }
        guard size % sectorSize == 0 else { throw .size(size) }
        if let creationSize, size != creationSize { throw .otherSize(found: size, wanted: creationSize) }
        return size
    }

    private static func asDiskError<Result>(_ body: () throws(Errno) -> Result) throws(DiskError) -> Result {
        do throws(Errno) {
            return try body()
        } catch {
            throw .open(error)
        }
    }

    /// Gives the disk another size, or, for a block device, takes over the one that it has now. What lies behind a
    /// smaller size is lost. The devices that use it are to be told: see `BlockDevice.resize`.
    ///
    /// - Parameter size: bytes, a multiple of the sector size.
    func resize(to size: UInt64) throws(DiskError) {
        guard size > 0, size % Self.sectorSize == 0 else { throw size == 0 ? .empty : .size(size) }
        if traits.isBlockDevice {
            let found = try Self.asDiskError { () throws(Errno) in try file.blockDeviceSize() }
            guard found == size else { throw .resize(nil) }
            currentSize.store(size, ordering: .releasing)
            return
        }
        guard !isReadOnly else { throw .resize(.accessDenied) }
        // No request may be let through that the file has no room for any more, or not yet.
        let before = self.size
        if size < before { currentSize.store(size, ordering: .sequentiallyConsistent) }
        do throws(Errno) {
            try file.setSize(size)
        } catch {
            currentSize.store(before, ordering: .releasing)
            throw .resize(error)
        }
        currentSize.store(size, ordering: .releasing)
    }

    // MARK: Blocking operations

    /// Which way a transfer goes.
    enum Route {
        /// Through the page cache.
        case cached
        /// Past the page cache, as it is.
        case direct
        /// Past the page cache, by way of aligned memory.
        case bounced
    }

    func route(_ offset: UInt64, _ vectors: borrowing IOVectorList) -> Route {
        guard let direct else { return .cached }
        // Of a block that it does not cover a transfer can only be a read: `BlockRequest` has seen to that.
        guard (offset | UInt64(vectors.byteCount)) % UInt64(direct.offsetAlignment) == 0 else { return .cached }
        return vectors.isAligned(to: direct.alignment) ? .direct : .bounced
    }

    /// Reads into all areas; `.ioError` when the file has shrunk meanwhile.
    func read(into vectors: inout IOVectorList, at offset: UInt64) throws(Errno) {
        let count = vectors.byteCount
        let done: Int
        switch (route(offset, vectors), direct) {
        case (.direct, .some(let direct)): done = try direct.file.read(into: &vectors, at: offset)
        case (.bounced, .some(let direct)): done = try direct.readBounced(into: vectors, at: offset)
        default: done = try file.read(into: &vectors, at: offset)
        }
        guard done == count else { throw .ioError }
    }

    /// Writes all areas. With `durable` they are on the disk when it returns.
    func write(from vectors: inout IOVectorList, at offset: UInt64, durable: Bool) throws(Errno) {
        let count = vectors.byteCount
        let done: Int
        switch (route(offset, vectors), direct) {
        case (.direct, .some(let direct)): done = try direct.file.write(from: &vectors, at: offset, durable: durable)
        case (.bounced, .some(let direct)): done = try direct.writeBounced(from: vectors, at: offset, durable: durable)
        default: done = try file.write(from: &vectors, at: offset, durable: durable)
        }
        guard done == count else { throw .noSpace }
    }

    /// Makes what was written durable.
    func flush() throws(Errno) {
        try file.synchronizeData()
    }

    /// Gives a range of bytes back to the host, where that can be done.
    func discard(_ range: Range<UInt64>) throws(Errno) {
        let count = range.upperBound - range.lowerBound
        guard count > 0 else { return }
        if traits.isBlockDevice { return try lock.discardBlocks(from: range.lowerBound, count: count) }
        try lock.change(.punchHole, from: range.lowerBound, count: count)
    }

    /// Makes a range of bytes read as zeros, with blocks behind them unless `unmap` allows to give these back.
    func writeZeroes(_ range: Range<UInt64>, unmap: Bool) throws(Errno) {
        let count = range.upperBound - range.lowerBound
        guard count > 0 else { return }
        if unmap {
            do throws(Errno) {
                return try lock.change(.punchHole, from: range.lowerBound, count: count)
            } catch {
                // A block device need not be able to unmap with zeros for certain.
                guard error == .notSupported else { throw error }
            }
        }
        if zeroesRanges.load(ordering: .relaxed) {
            do throws(Errno) {
                return try lock.change(.zero, from: range.lowerBound, count: count)
            } catch {
                guard error == .notSupported, !traits.isBlockDevice else { throw error }
                zeroesRanges.store(false, ordering: .relaxed)
            }
        }
        try lock.change(.punchHole, from: range.lowerBound, count: count)
        try lock.change(.allocate, from: range.lowerBound, count: count)
    }
}
