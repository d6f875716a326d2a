import GuestMemory
import LinuxSystem

/// A snapshot with all that it builds on: itself, its base, the base's base and so on, up to one that stands alone. Any thread
/// may use it.
public final class SnapshotChain: Sendable {
    /// How many snapshots may be in a row.
    public static let depthLimit = 16

    /// The newest first: that of the path given. Not empty.
    public let readers: [SnapshotReader]

    /// Opens them all, and checks that each is the one that the one before names.
    public init(directory: String) throws(SnapshotError) {
        let newest = try SnapshotReader(directory: directory)
        var readers = [newest]
        var next = newest.base
        while let base = next {
            // Bases of one identifier cannot be two: so this ends, whatever the paths lead to.
            guard !readers.contains(where: { $0.identifier == base.identifier }) else { throw .loop(path: newest.statePath) }
            guard readers.count < Self.depthLimit else { throw .tooDeep(path: newest.statePath, limit: Self.depthLimit) }
            let reader = try SnapshotReader(directory: base.path)
            guard reader.identifier == base.identifier else {
                throw .otherSnapshot(path: reader.statePath, found: reader.identifier, expected: base.identifier)
            }
            let (found, expected) = (reader.contents.memorySize, newest.contents.memorySize)
            guard found == expected else {
                throw .otherMemory(path: reader.statePath, found: found, expected: expected)
            }
            readers.append(reader)
            next = reader.base
        }
        self.readers = readers
    }

    /// The snapshot itself: whose sections are the machine's state.
    public var newest: SnapshotReader { readers[0] }

    /// Opens the memory of the snapshot that stands alone, for the guest's memory to map.
    ///
    /// - Parameter size: bytes of the guest's RAM, which the file has to have.
    public func openMemory(size: UInt64) throws(SnapshotError) -> FileDescriptor {
        try readers[readers.count - 1].openMemory(size: size)
    }

    /// Reads the pages of all differences, the oldest first, into guest memory that maps what `openMemory` has opened.
    ///
    /// Not while a virtual processor runs or a device works.
    public func applyDifferences(to memory: GuestMemory) throws(SnapshotError) {
        for reader in readers.reversed() { try reader.applyDifference(to: memory) }
    }

    /// What a machine that is restored from this has come from. Throws where its directory has no path any more.
    public func origin() throws(SnapshotError) -> SnapshotOrigin {
        let path = newest.path
        let absolute = try naming(path) { () throws(Errno) in try canonicalPath(path) }
        let last = readers[readers.count - 1]
        let memory = try last.openMemory(size: last.contents.memorySize)
        let identity = try naming(last.memoryPath) { () throws(Errno) in try memory.status().identity }
        return SnapshotOrigin(base: SnapshotBase(path: absolute, identifier: newest.identifier), depth: readers.count,
                              memory: identity)
    }
}
