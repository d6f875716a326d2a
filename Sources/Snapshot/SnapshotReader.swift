import GuestMemory
import LinuxSystem

/// A snapshot that is there: its state, read and checked, and the way to its memory. Any thread may use it.
public final class SnapshotReader: Sendable {
    /// As it was given.
    public let path: String
    public let contents: SnapshotContents
    private let directory: FileDescriptor

    /// Opens the directory, reads the state and checks it whole.
    public init(directory path: String) throws(SnapshotError) {
        self.path = path
        let directory: FileDescriptor
        do throws(Errno) {
            directory = try .open(path, [.readOnly, .directory])
        } catch {
            switch error {
            case .noEntry: throw .missing(path: path)
            case .notDirectory: throw .kind(path: path, found: "not a directory", expected: "that of a snapshot")
            default: throw .file(path: path, error)
            }
        }
        contents = try Self.readState(directory, path: "\(path)/\(SnapshotFiles.state)")
        self.directory = directory
    }

    public var identifier: SnapshotIdentifier { contents.identifier }
    /// What this differs from, for a difference.
    public var base: SnapshotBase? { contents.base }
    /// The path of the file `state`, for messages about sections.
    public var statePath: String { "\(path)/\(SnapshotFiles.state)" }
    /// The path of the file `memory`.
    public var memoryPath: String { "\(path)/\(SnapshotFiles.memory)" }

    /// The contents of all sections of a kind, in their order.
    public func sections(_ kind: SectionKind) -> [[UInt8]] {
        contents.sections.filter { $0.kind == kind }.map(\.bytes)
    }

    /// The contents of the first section of a kind. Throws `.missingSection` where there is none.
    public func section(_ kind: SectionKind) throws(SnapshotError) -> [UInt8] {
        guard let section = contents.sections.first(where: { $0.kind == kind }) else {
            throw .missingSection(path: statePath, kind)
        }
        return section.bytes
    }

    /// Opens the file `memory`, to be read and mapped. Of a difference it has only the pages that differ.
    ///
    /// - Parameter size: bytes of the guest's RAM, which the file has to have.
    public func openMemory(size: UInt64) throws(SnapshotError) -> FileDescriptor {
        guard contents.memorySize == size else {
            throw .otherMemory(path: statePath, found: contents.memorySize, expected: size)
        }
        let path = memoryPath
        let file = try SnapshotFiles.open(SnapshotFiles.memory, in: directory, path: path)
        let found = try naming(path) { () throws(Errno) in try file.status().size }
        guard found == size else { throw .memorySize(path: path, found: found, expected: size) }
        if let owner = SnapshotFiles.mark(of: file), owner != identifier {
            throw .otherSnapshot(path: path, found: owner, expected: identifier)
        }
        return file
    }

    private static func readState(
        _ directory: borrowing FileDescriptor, path: String
    ) throws(SnapshotError) -> SnapshotContents {
        let file = try SnapshotFiles.open(SnapshotFiles.state, in: directory, path: path)
        let limit = SnapshotContents.fileLimit
        let size = try naming(path) { () throws(Errno) in try file.status().size }
        guard size <= UInt64(limit) else { throw .fileTooLong(path: path, found: size, limit: UInt64(limit)) }
        let bytes = try naming(path) { () throws(Errno) in try file.prefix(Int(size)) }
        return try SnapshotContents(decoding: bytes, file: path)
    }
}
