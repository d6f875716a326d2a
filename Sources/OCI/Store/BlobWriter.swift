import LinuxSystem
import Synchronization

/// Writes one blob into the store, from where an earlier attempt ended.
///
/// The bytes go to a file of their own, which gets its final name when its size and digest are right. An attempt that
/// ends without `finish` leaves what has come for the next one; bytes that are wrong are removed. Any thread, one call at
/// a time.
public final class BlobWriter: Sendable {
    public let descriptor: Descriptor
    private let store: ImageStore
    private let transfer: ImageTransfer
    private let path: String
    private let state: Mutex<State>

    private struct State: ~Copyable {
        /// nil once the blob is finished or given up.
        var locked: LockedFile?
        var hasher: ContentHasher
        var offset: UInt64
    }

    init(
        _ descriptor: Descriptor, _ locked: LockedFile, path: String, store: ImageStore, transfer: ImageTransfer
    ) throws(ImageError) {
        self.descriptor = descriptor
        self.store = store
        self.transfer = transfer
        self.path = path
        var state = State(locked: locked, hasher: ContentHasher(descriptor.digest.algorithm), offset: 0)
        do throws(Errno) {
            let found = try locked.file.status().size
            if found > descriptor.size {
                try locked.file.truncate(to: 0)
            } else if found > 0 {
                state.offset = try Self.hash(locked.file, into: &state.hasher)
            }
            try locked.file.setPosition(state.offset)
        } catch {
            throw ImageError(path, error)
        }
        self.state = Mutex(state)
    }

    /// Bytes that are there already: where the rest is to be fetched from.
    public var offset: UInt64 { state.withLock { $0.offset } }

    /// Adds bytes behind those that are there. Throws `.sizeMismatch` for more than the descriptor's size and `.noSpace` when the
    /// file system is full; then nothing is left of the blob.
    public func append(_ bytes: UnsafeRawBufferPointer) throws(ImageError) {
        try state.withLock { state throws(ImageError) in
            guard let locked = state.locked else { return }
            guard UInt64(bytes.count) <= descriptor.size - state.offset else {
                discard(&state)
                throw .sizeMismatch(what: "blob \(descriptor.digest)", expected: descriptor.size,
                                    found: state.offset + UInt64(bytes.count))
            }
            do throws(Errno) {
                try locked.file.writeAll(bytes)
            } catch {
                let failure = ImageError(path, error)
                if case .noSpace = failure {
                    // What is there would only keep the disk full.
                    discard(&state)
                } else {
                    // How much of it is written is not known: what counts is before it.
                    try? locked.file.truncate(to: state.offset)
                    try? locked.file.setPosition(state.offset)
                }
                throw failure
            }
            state.hasher.update(bytes)
            state.offset += UInt64(bytes.count)
        }
    }

    /// Begins again at offset 0: for a server that cannot continue where the last attempt ended.
    public func restart() throws(ImageError) {
        try state.withLock { state throws(ImageError) in
            guard let locked = state.locked else { return }
            do throws(Errno) {
                try locked.file.truncate(to: 0)
                try locked.file.setPosition(0)
            } catch {
                throw ImageError(path, error)
            }
            state.hasher = ContentHasher(descriptor.digest.algorithm)
            state.offset = 0
        }
    }

    /// Checks size and digest and gives the blob its name in the store. A wrong digest removes it; too few bytes throw
    /// `.sizeMismatch` and leave it to be continued.
    public func finish() throws(ImageError) {
        try state.withLock { state throws(ImageError) in
            guard let locked = state.locked else { return }
            guard state.offset == descriptor.size else {
                throw .sizeMismatch(what: "blob \(descriptor.digest)", expected: descriptor.size, found: state.offset)
            }
            let found = state.hasher.digest()
            guard found == descriptor.digest else {
                discard(&state)
                throw .digestMismatch(what: "blob", expected: descriptor.digest, found: found)
            }
            transfer.keep(found, try store.adopt(locked, at: path, as: found), isNew: true)
            state.locked = nil
        }
    }

    /// Gives the blob up and leaves nothing of it.
    public func discard() {
        state.withLock { discard(&$0) }
    }

    private func discard(_ state: inout State) {
        guard state.locked != nil else { return }
        // Under its lock; a file that cannot be removed stays for the next attempt, which finds out.
        try? removeFile(path)
        state.locked = nil
    }

    private static func hash(_ file: borrowing FileDescriptor, into hasher: inout ContentHasher) throws(Errno) -> UInt64 {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 16)
        defer { buffer.deallocate() }
        var offset: UInt64 = 0
        while true {
            let count = try file.read(into: buffer, at: offset)
            if count == 0 { return offset }
            hasher.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            offset += UInt64(count)
        }
    }
}

extension ImageStore {
    /// Gives a whole, checked, locked file its name as a blob, durably. Returns it with its lock shared.
    func adopt(_ locked: LockedFile, at path: String, as digest: Digest) throws(ImageError) -> LockedFile {
        let final = self.path(of: digest)
        do throws(Errno) {
            try locked.file.synchronizeData()
        } catch {
            throw ImageError(path, error)
        }
        // Nobody collects garbage before the new lock is there. The old one has to go: who waits for it would wait for as long
        // as the transfer takes, and two transfers for each other.
        let names = try LockedFile.shared(lockPath, creating: true)
        defer { withExtendedLifetime(names) {} }
        do throws(Errno) {
            try renameFile(path, to: final)
            try locked.file.unlock()
            try synchronizeDirectory("\(images)/blobs/\(digest.algorithm.rawValue)")
        } catch {
            throw ImageError(final, error)
        }
        guard let shared = try LockedFile.shared(final) else { throw .file(path: final, .noEntry) }
        return shared
    }
}
