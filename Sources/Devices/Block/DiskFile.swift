import LinuxSystem

/// Why a file cannot be a disk.
public enum DiskError: Error, Equatable, CustomStringConvertible {
    case open(Errno)
    case kind(String)
    case empty
    case size(UInt64)
    case inUse(writable: Bool)

    public var description: String {
        switch self {
        case .open(let error): "\(error)"
        case .kind(let found): "\(found), expected a raw disk image or a block device"
        case .empty: "0 bytes long, expected a raw disk image of at least 512 bytes"
        case .size(let size):
            "\(size) bytes long, expected a multiple of 512; extend it with: truncate -s %512 FILE"
        case .inUse(let writable):
            writable ? "in use, by another virtual machine or twice by this one; expected a disk of its own, or ,ro for all"
                : "in use for writing, by another virtual machine or by this one; wait for its end or give this one a copy"
        }
    }
}

/// The file or block device behind a raw disk, locked for as long as it is open.
///
/// Any thread may read and write; requests in flight at the same time are the guest's to order.
public final class DiskFile: Sendable {
    public static let sectorSize: UInt64 = 512

    private let file: FileDescriptor
    public let isReadOnly: Bool
    /// Bytes; a multiple of the sector size. It stays what it was when the disk was opened.
    public let size: UInt64

    /// Opens and locks it: one writer, or any number of readers.
    public init(path: String, readOnly: Bool) throws(DiskError) {
        do throws(Errno) {
            file = try Self.open(path, readOnly: readOnly)
        } catch {
            switch error {
            case .isDirectory: throw .kind("a directory")
            case .busy: throw .inUse(writable: true)
            default: throw .open(error)
            }
        }
        isReadOnly = readOnly
        size = try Self.size(of: file)
        let isLocked = try Self.asDiskError { () throws(Errno) in try file.tryLock(exclusive: !readOnly) }
        guard isLocked else {
            throw .inUse(writable: !readOnly)
        }
    }

    private static func open(_ path: String, readOnly: Bool) throws(Errno) -> FileDescriptor {
        // Non-blocking, so that a FIFO is refused later and not waited for.
        let mode: OpenMode = readOnly ? [.readOnly, .nonBlocking] : [.readWrite, .nonBlocking]
        let opened = try FileDescriptor.open(path, mode)
        guard !readOnly, try opened.status().kind == .blockDevice else { return opened }
        // The kernel gives a block device, under whatever name, one exclusive opening, and none while it or a part of it is
        // mounted.
        return try FileDescriptor.open(path, mode.union(.exclusive))
    }

    private static func size(of file: borrowing FileDescriptor) throws(DiskError) -> UInt64 {
        let status = try asDiskError { () throws(Errno) in try file.status() }
        let size: UInt64
        switch status.kind {
        case .regular: size = status.size
        case .blockDevice: size = try asDiskError { () throws(Errno) in try file.blockDeviceSize() }
        case .directory: throw .kind("a directory")
        case .characterDevice: throw .kind("a character device")
        case .fifo: throw .kind("a FIFO")
        case .socket: throw .kind("a socket")
        case .other: throw .kind("a special file")
        }
        guard size > 0 else { throw .empty }
        guard size % sectorSize == 0 else { throw .size(size) }
        return size
    }

    private static func asDiskError<Result>(_ body: () throws(Errno) -> Result) throws(DiskError) -> Result {
        do throws(Errno) {
            return try body()
        } catch {
            throw .open(error)
        }
    }

    /// Reads into all areas; `.ioError` when the file has shrunk meanwhile.
    func read(into vectors: inout IOVectorList, at offset: UInt64) throws(Errno) {
        let count = vectors.byteCount
        guard try file.read(into: &vectors, at: offset) == count else { throw .ioError }
    }

    /// Writes all areas.
    func write(from vectors: inout IOVectorList, at offset: UInt64) throws(Errno) {
        let count = vectors.byteCount
        guard try file.write(from: &vectors, at: offset) == count else { throw .noSpace }
    }

    /// Makes what was written durable.
    func flush() throws(Errno) {
        try file.synchronizeData()
    }
}
