import GuestMemory
import LinuxSystem

/// Makes a snapshot. It has its name only when it is whole and durable: until then it is a directory with a hidden name, which
/// is removed when anything fails, when this object goes, and, where the process came to a sudden end, by the next save of the
/// name.
///
/// First the memory, while the machine stands still, then `finish`, for which it may run again. One thread uses it. A process
/// that saves ignores SIGXFSZ, as the kernel would else end it for a file that becomes too large.
public final class SnapshotWriter {
    public let identifier: SnapshotIdentifier
    private struct Saved {
        let file: MemoryFile
        let size: UInt64
        /// Of a difference.
        let pages: PageBitmap?
    }

    private let directory: PartialDirectory
    private let origin: SnapshotOrigin?
    private var saved: Saved?
    /// Whether pages that are not touched are told by /proc/self/pagemap. Tests do without.
    var usesPageMap = true

    /// Begins a snapshot in a directory that is not there yet; the one above it is.
    ///
    /// - Parameter origin: for a difference: what the machine was restored from. The source of its memory is a file of that.
    public init(directory path: String, differenceFrom origin: SnapshotOrigin? = nil) throws(SnapshotError) {
        if let origin, origin.depth >= SnapshotChain.depthLimit {
            throw .tooDeep(path: path, limit: SnapshotChain.depthLimit)
        }
        identifier = try naming(path) { () throws(Errno) in try .random() }
        directory = try PartialDirectory(becoming: path)
        self.origin = origin
    }

    /// Writes guest memory. Pages of zeros take no space. What nobody has touched is not touched: it is a hole, or, of memory
    /// that has a source, copied from there, inside the kernel where it can. For a difference, only pages that are not the
    /// source's any more are written.
    ///
    /// Where /proc/self/pagemap cannot be read, all pages are looked at, and a difference has all of them.
    ///
    /// Not while a virtual processor runs or a device works. Once. After an error the snapshot is discarded.
    @discardableResult
    public func writeMemory(_ memory: GuestMemory) throws(SnapshotError) -> SavedMemory {
        do throws(SnapshotError) {
            try checkSource(memory)
            let path = "\(directory.path)/\(SnapshotFiles.memory)"
            let file = try MemoryFile(try directory.createFile(SnapshotFiles.memory), size: memory.layout.size, path: path)
            let map = usesPageMap ? try? PageMap() : nil
            let result: SavedMemory
            var pages: PageBitmap?
            if origin != nil {
                (result, pages) = try file.saveDifference(memory, map: map)
            } else {
                result = try file.save(memory, map: map)
            }
            saved = Saved(file: file, size: memory.layout.size, pages: pages)
            return result
        } catch {
            discard()
            throw error
        }
    }

    /// Writes the state, makes everything durable and gives the snapshot its name. The memory has been written. After an error
    /// the snapshot is discarded.
    public func finish(_ sections: [SnapshotSection]) throws(SnapshotError) {
        guard let saved else { preconditionFailure("the memory has not been written") }
        do throws(SnapshotError) {
            let difference = saved.pages.flatMap { pages in origin.map { (base: $0.base, pages: pages) } }
            try writeState(SnapshotContents(identifier: identifier, memorySize: saved.size, difference: difference,
                                            sections: sections))
            SnapshotFiles.mark(saved.file.descriptor, identifier)
            try saved.file.synchronize()
            try directory.publish()
        } catch {
            discard()
            throw error
        }
        self.saved = nil
    }

    /// Removes all that has been made. Does nothing to a snapshot that is finished.
    public func discard() {
        saved = nil
        directory.discard()
    }

    private func writeState(_ contents: SnapshotContents) throws(SnapshotError) {
        let path = "\(directory.path)/\(SnapshotFiles.state)"
        let bytes = try contents.encoded(file: path)
        let file = try directory.createFile(SnapshotFiles.state)
        let result = bytes.withUnsafeBytes { bytes -> Result<Void, Errno> in
            do throws(Errno) {
                try file.writeAll(bytes)
                return .success(try file.synchronize())
            } catch {
                return .failure(error)
            }
        }
        if case .failure(let error) = result { throw .file(path: path, error) }
    }

    /// That what the memory maps is as long as it was, and, for a difference, the base's.
    private func checkSource(_ memory: GuestMemory) throws(SnapshotError) {
        let status: FileStatus?
        do throws(Errno) {
            status = try memory.source?.status()
        } catch {
            throw .file(path: directory.path, error)
        }
        if let origin, origin.memory != status?.identity { throw .otherBase(path: origin.base.path) }
        if let status, status.size != memory.layout.size {
            throw .memorySize(path: origin?.base.path ?? directory.path, found: status.size, expected: memory.layout.size)
        }
    }
}
