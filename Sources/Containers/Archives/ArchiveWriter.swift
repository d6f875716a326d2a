import AgentCore
import LinuxSystem

/// Writes a file or directory of the host as a tar archive.
struct ArchiveWriter {
    /// Whether owners are kept; otherwise everything is root's.
    let keepsOwners: Bool
    /// Takes the archive's next bytes.
    let emit: ([UInt8]) throws(ContainerError) -> Void

    private static let chunk = 64 << 10
    /// Deeper than any path that can be named.
    private static let maximumDepth = 2048

    /// Writes what is at a path, under a name of the archive: a name without slashes, or none for a directory's contents alone.
    ///
    /// - Parameter followsLink: whether a symbolic link at the path itself stands for where it leads.
    func write(_ path: String, as name: String?, followsLink: Bool) throws(ContainerError) {
        let file = try onFile(path) { () throws(Errno) in
            try FileDescriptor.open(path, followsLink ? [.pathOnly] : [.pathOnly, .noFollow])
        }
        try write(file, Array((name ?? "").utf8), path, depth: 0)
        try emit(Tar.end)
    }

    private func write(_ file: borrowing FileDescriptor, _ name: [UInt8], _ path: String, depth: Int) throws(ContainerError) {
        guard depth < Self.maximumDepth else { throw .failed("\(path): directories in directories, more than \(Self.maximumDepth) deep") }
        let attributes = try attributes(file, path)
        switch FileType(mode: attributes.mode) {
        case .directory:
            // The root of contents alone has no name.
            if !name.isEmpty { try emit(entry(name + [UInt8(ascii: "/")], .directory, attributes).header) }
            try writeContents(file, name, path, depth)
        case .regular: try writeFile(file, name, path, attributes)
        case .symbolicLink:
            let target = try target(file, path)
            try emit(entry(name, .symbolicLink(target), attributes).header)
        case .fifo: try emit(entry(name, .fifo, attributes).header)
        // Device nodes and sockets are the host's alone.
        case .characterDevice, .blockDevice, .socket, nil: break
        }
    }

    private func attributes(_ file: borrowing FileDescriptor, _ path: String) throws(ContainerError) -> FileAttributes {
        do throws(Errno) { return try file.attributes() } catch { throw .file(path, error) }
    }

    private func target(_ file: borrowing FileDescriptor, _ path: String) throws(ContainerError) -> [UInt8] {
        do throws(Errno) { return try file.linkTarget() } catch { throw .file(path, error) }
    }

    private func entry(_ name: [UInt8], _ kind: TarEntry.Kind, _ attributes: FileAttributes, size: UInt64 = 0) -> TarEntry {
        TarEntry(name: name, kind: kind, mode: attributes.mode & 0o7777, user: keepsOwners ? attributes.user : 0,
                 group: keepsOwners ? attributes.group : 0, size: size, time: attributes.modified.seconds,
                 nanoseconds: attributes.modified.nanoseconds)
    }

    private func reopen(_ file: borrowing FileDescriptor, _ mode: OpenMode, _ path: String) throws(ContainerError) -> FileDescriptor {
        // The very file that was looked at, whatever has its name by now.
        let own = "/proc/self/fd/\(file.raw)"
        do throws(Errno) { return try FileDescriptor.open(own, mode) } catch { throw .file(path, error) }
    }

    private func writeContents(_ file: borrowing FileDescriptor, _ name: [UInt8], _ path: String, _ depth: Int) throws(ContainerError) {
        let directory = try reopen(file, [.readOnly, .directory], path)
        for entry in try names(directory, path) {
            let bytes = entry.bytes
            let childPath = path + "/" + String(decoding: bytes, as: UTF8.self)
            let child: FileDescriptor
            do throws(Errno) {
                child = try directory.open(entry, [.pathOnly, .noFollow])
            } catch {
                // Gone since the directory was read.
                if error == .noEntry { continue }
                throw .file(childPath, error)
            }
            try write(child, name.isEmpty ? bytes : name + [UInt8(ascii: "/")] + bytes, childPath, depth: depth + 1)
        }
    }

    private func names(_ directory: borrowing FileDescriptor, _ path: String) throws(ContainerError) -> [FileName] {
        do throws(Errno) { return try directory.entryNames() } catch { throw .file(path, error) }
    }

    private func writeFile(
        _ file: borrowing FileDescriptor, _ name: [UInt8], _ path: String, _ attributes: FileAttributes
    ) throws(ContainerError) {
        let opened = try reopen(file, .readOnly, path)
        try emit(entry(name, .file, attributes, size: attributes.size).header)
        var done: UInt64 = 0
        while done < attributes.size {
            let wanted = Int(min(attributes.size - done, UInt64(Self.chunk)))
            var part = try read(opened, wanted, at: done, path)
            // It has become shorter: the archive says otherwise already.
            if part.isEmpty { part = [UInt8](repeating: 0, count: wanted) }
            done += UInt64(part.count)
            try emit(part)
        }
        let padding = Tar.padding(attributes.size)
        if padding > 0 { try emit([UInt8](repeating: 0, count: padding)) }
    }

    private func read(_ file: borrowing FileDescriptor, _ count: Int, at offset: UInt64, _ path: String) throws(ContainerError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var result: Result<Int, Errno> = .success(0)
        bytes.withUnsafeMutableBytes { buffer in
            do throws(Errno) { result = .success(try file.read(into: buffer, at: offset)) } catch { result = .failure(error) }
        }
        do throws(Errno) {
            bytes.removeLast(count - (try result.get()))
            return bytes
        } catch {
            throw .file(path, error)
        }
    }
}
