import AgentCore
import LinuxSystem

/// Unpacks a tar archive that nobody trusts into a directory of the host. It is given the bytes as they come.
///
/// Everything is named by an open directory and one name in it, no symbolic link is followed, and names with `..` are refused: nothing is
/// written outside the directory. Set-user-ID is dropped unless owners are kept; device nodes are left out.
final class ArchiveExtractor {
    private let root: FileDescriptor
    private let path: String
    private let keepsOwners: Bool
    /// What takes the place of each name's first component; nil: it is dropped.
    private let rename: [UInt8]?
    private var reader = TarReader()
    private var buffer: [UInt8] = []
    private var state = State.header
    /// Modes and times of directories, set when nothing more is written into them.
    private var directories: [(components: [FileName], entry: TarEntry)] = []
    /// Members that were left out.
    private(set) var skippedCount = 0

    private enum State {
        case header
        /// Bytes for the reader, and what fills up the block.
        case extension_(Int, padding: Int)
        case contents(rest: UInt64, padding: Int)
        case end
    }

    /// The file that is being written.
    private var file: FileDescriptor?
    private var fileEntry: TarEntry?

    /// - Parameters:
    ///   - path: a directory that exists; symbolic links in it are followed: it is the user's own word.
    ///   - rename: see the property.
    init(into path: String, rename: String?, keepsOwners: Bool) throws(ContainerError) {
        self.path = path
        self.rename = rename.map { Array($0.utf8) }
        self.keepsOwners = keepsOwners && CurrentProcess.user == 0
        do throws(Errno) { root = try FileDescriptor.open(path, [.readOnly, .directory]) } catch { throw .file(path, error) }
    }

    func take(_ bytes: [UInt8]) throws(ContainerError) {
        buffer += bytes
        var used = 0
        while try step(&used) {}
        buffer.removeFirst(used)
    }

    /// Says whether the archive was whole.
    func finish() throws(ContainerError) {
        try closeFile()
        switch state {
        case .header, .end: break
        case .extension_, .contents: throw .failed("\(path): the archive ended in the middle of a member")
        }
        for (components, entry) in directories.reversed() {
            guard let directory = try? open(components[...]) else { continue }
            apply(entry, to: directory)
        }
        directories = []
    }

    /// False when more bytes are needed.
    private func step(_ used: inout Int) throws(ContainerError) -> Bool {
        let available = buffer.count - used
        switch state {
        case .header:
            guard available >= Tar.blockSize else { return false }
            let block = Array(buffer[used..<(used + Tar.blockSize)])
            used += Tar.blockSize
            try begin(try parse { (reader) throws(TarReader.Failure) in try reader.header(block) })
        case .extension_(let size, let padding):
            guard available >= size + padding else { return false }
            let bytes = Array(buffer[used..<(used + size)])
            used += size + padding
            _ = try parse { (reader) throws(TarReader.Failure) in try reader.take(bytes) }
            state = .header
        case .contents(let rest, let padding):
            guard rest > 0 else {
                guard available >= padding else { return false }
                used += padding
                try closeFile()
                state = .header
                return true
            }
            guard available > 0 else { return false }
            let count = Int(min(rest, UInt64(available)))
            try write(buffer[used..<(used + count)])
            used += count
            state = .contents(rest: rest - UInt64(count), padding: padding)
        case .end:
            used = buffer.count
            return false
        }
        return true
    }

    private func parse<Result>(_ body: (inout TarReader) throws(TarReader.Failure) -> Result) throws(ContainerError) -> Result {
        do throws(TarReader.Failure) { return try body(&reader) } catch { throw .failed(error.text) }
    }

    private func begin(_ step: TarReader.Step) throws(ContainerError) {
        switch step {
        case .nothing: break
        case .end: state = .end
        case .data(let size): state = .extension_(size, padding: Tar.padding(UInt64(size)))
        case .entry(let entry):
            try make(entry)
            if entry.kind == .file { state = .contents(rest: entry.size, padding: Tar.padding(entry.size)) }
        }
    }

    // MARK: Names

    /// Components below the directory; nil for the directory itself.
    private func components(_ name: [UInt8]) throws(ContainerError) -> [FileName]? {
        var parts = PathName.components(name)
        if !parts.isEmpty { if let rename { parts[0] = rename } else { parts.removeFirst() } }
        var names: [FileName] = []
        for part in parts {
            do throws(Errno) {
                names.append(try FileName(part))
            } catch {
                throw .failed("\(path): the archive has a member '\(String(decoding: name, as: UTF8.self))', which leads out of it or is no name")
            }
        }
        return names.isEmpty ? nil : names
    }

    /// Opens a directory below the root.
    private func open(_ components: ArraySlice<FileName>) throws(Errno) -> FileDescriptor {
        var directory = try root.duplicate()
        for name in components { directory = try directory.open(name, [.readOnly, .directory]) }
        return directory
    }

    /// As `open`, and makes what is missing.
    private func reach(_ components: ArraySlice<FileName>) throws(Errno) -> FileDescriptor {
        var directory = try root.duplicate()
        for name in components {
            do throws(Errno) { try directory.makeDirectory(name, permissions: 0o755) } catch { guard error == .exists else { throw error } }
            directory = try directory.open(name, [.readOnly, .directory])
        }
        return directory
    }

    // MARK: Members

    private func make(_ entry: TarEntry) throws(ContainerError) {
        guard let names = try components(entry.name), let name = names.last else { return }
        do throws(Errno) {
            let parent = try reach(names.dropLast())
            switch entry.kind {
            case .directory:
                do throws(Errno) { try parent.makeDirectory(name, permissions: 0o700) } catch {
                    guard error == .exists else { throw error }
                    // In the place of a link, too, no directory is made elsewhere.
                    _ = try parent.open(name, [.readOnly, .directory])
                }
                directories.append((names, entry))
            case .file:
                try clear(parent, name)
                let opened = try parent.open(name, [.writeOnly, .create, .exclusive], permissions: 0o600)
                file = try opened.duplicate()
                fileEntry = entry
            case .symbolicLink(let target):
                try clear(parent, name)
                try parent.makeSymbolicLink(name, to: try LinkTarget(target))
            case .hardLink(let target): try link(target, parent, name)
            case .fifo:
                try clear(parent, name)
                try parent.makeNode(name, .fifo, permissions: entry.mode & 0o777)
            case .characterDevice, .blockDevice: skippedCount += 1
            }
        } catch {
            throw .file(path + "/" + String(decoding: entry.name, as: UTF8.self), error)
        }
    }

    /// Whatever is no directory makes room.
    private func clear(_ parent: borrowing FileDescriptor, _ name: FileName) throws(Errno) {
        do throws(Errno) { try parent.remove(name, isDirectory: false) } catch { guard error == .noEntry else { throw error } }
    }

    private func link(_ target: [UInt8], _ parent: borrowing FileDescriptor, _ name: FileName) throws(Errno) {
        let names: [FileName]?
        do throws(ContainerError) { names = try components(target) } catch { throw .notPermitted }
        guard let names, let last = names.last else { throw .notPermitted }
        let folder = try open(names.dropLast())
        let file = try folder.open(last, [.pathOnly, .noFollow])
        try clear(parent, name)
        try DescriptorDirectory().link(file, into: parent, as: name)
    }

    private func write(_ bytes: ArraySlice<UInt8>) throws(ContainerError) {
        guard let raw = file?.raw else { return }
        let count = bytes.withUnsafeBytes { writeWhatFits(raw, $0) }
        guard count == bytes.count else { throw .file(path, .current) }
    }

    private func closeFile() throws(ContainerError) {
        if let entry = fileEntry, let file = file.take() { apply(entry, to: file) }
        file = nil
        fileEntry = nil
    }

    /// What cannot be set is not: the contents are what counts.
    private func apply(_ entry: TarEntry, to file: borrowing FileDescriptor) {
        if keepsOwners { try? file.setOwner(user: entry.user, group: entry.group) }
        try? file.setPermissions(keepsOwners ? entry.mode : entry.mode & 0o1777)
        let time = FileTime(seconds: entry.time, nanoseconds: entry.nanoseconds)
        try? file.setTimes(accessed: .keep, modified: .set(time))
    }
}
