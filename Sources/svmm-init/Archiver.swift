import AgentCore
import AgentProtocol

/// Writes a tree of files as a tar archive. Files may change while it reads them: what is announced is written, with zero bytes for what has
/// gone meanwhile.
struct Archiver {
    private var sink: ByteSink
    /// Names of files with several links, which are written once.
    private var known: [FileNumber: [UInt8]] = [:]
    private static let knownLimit = 200_000
    /// Directories within each other; each costs a descriptor.
    private static let depthLimit = 2000

    private struct FileNumber: Hashable {
        let device: UInt64
        let file: UInt64
    }

    init(to file: Int32) {
        sink = ByteSink(file)
    }

    /// The end of the archive.
    mutating func finish() throws(AgentFailure) {
        try sink.write(Tar.end)
        try sink.flush()
    }

    /// Everything in a directory, by names relative to it.
    mutating func addContents(_ directory: Int32, _ prefix: [UInt8] = [], depth: Int = 0) throws(AgentFailure) {
        guard depth < Self.depthLimit else {
            throw AgentFailure(.failed, "archive: directories lie more than \(Self.depthLimit) deep within each other")
        }
        for name in names(inDirectory: agent_duplicate(directory)) {
            try add(name, in: directory, as: prefix + name, depth: depth)
        }
    }

    /// The directory itself, as ".".
    mutating func addRoot(_ directory: Int32) throws(AgentFailure) {
        var status = stat()
        guard fstat(directory, &status) == 0 else { return }
        try sink.write(entry([UInt8(ascii: "."), UInt8(ascii: "/")], .directory, status, attributes(directory)).header)
    }

    /// One member of a directory, with all that is below it. What has gone meanwhile is left out.
    mutating func add(_ name: [UInt8], in directory: Int32, as member: [UInt8], depth: Int = 0) throws(AgentFailure) {
        var status = stat()
        guard CPath(name)({ fstatat(directory, $0, &status, AT_SYMLINK_NOFOLLOW) }) == 0 else { return }
        switch status.kind {
        case .directory:
            let file = CPath(name) { agent_openat(directory, $0, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0) }
            guard file >= 0 else { return }
            defer { close(file) }
            let name = member + [UInt8(ascii: "/")]
            try sink.write(entry(name, .directory, status, attributes(file)).header)
            try addContents(file, name, depth: depth + 1)
        case .regular: try addFile(name, in: directory, member)
        case .link:
            var target = [UInt8](repeating: 0, count: 4096)
            let count = CPath(name) { path in
                target.withUnsafeMutableBytes { readlinkat(directory, path, $0.baseAddress, $0.count) }
            }
            guard count > 0 else { return }
            try addLeaf(member, .symbolicLink(Array(target[..<count])), status)
        case .other:
            let device = (major: agent_device_major(status.st_rdev), minor: agent_device_minor(status.st_rdev))
            switch status.st_mode & 0o170000 {
            case 0o020000: try addLeaf(member, .characterDevice(major: device.major, minor: device.minor), status)
            case 0o060000: try addLeaf(member, .blockDevice(major: device.major, minor: device.minor), status)
            case 0o010000: try addLeaf(member, .fifo, status)
            // A socket means nothing without its process.
            default: return
            }
        }
    }

    private mutating func addLeaf(_ member: [UInt8], _ kind: TarEntry.Kind, _ status: stat) throws(AgentFailure) {
        if try addLink(member, status) { return }
        try sink.write(entry(member, kind, status, []).header)
    }

    private mutating func addFile(_ name: [UInt8], in directory: Int32, _ member: [UInt8]) throws(AgentFailure) {
        let file = CPath(name) { agent_openat(directory, $0, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0) }
        guard file >= 0 else { return }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0, status.kind == .regular else { return }
        if try addLink(member, status) { return }
        let size = UInt64(clamping: status.st_size)
        try sink.write(entry(member, .file, status, attributes(file)).header)
        var missing = size - (try sink.copy(file, size))
        while missing > 0 {
            let part = min(missing, 64 << 10)
            try sink.write([UInt8](repeating: 0, count: Int(part)))
            missing -= part
        }
        try sink.write([UInt8](repeating: 0, count: Tar.padding(size)))
    }

    /// Whether this file was written under another name, to which it is now a link.
    private mutating func addLink(_ member: [UInt8], _ status: stat) throws(AgentFailure) -> Bool {
        guard status.st_nlink > 1 else { return false }
        let number = FileNumber(device: UInt64(status.st_dev), file: UInt64(status.st_ino))
        if let target = known[number] {
            try sink.write(entry(member, .hardLink(target), status, []).header)
            return true
        }
        if known.count < Self.knownLimit { known[number] = member }
        return false
    }

    private func entry(
        _ name: [UInt8], _ kind: TarEntry.Kind, _ status: stat, _ attributes: [TarEntry.Attribute]
    ) -> TarEntry {
        TarEntry(name: name, kind: kind, mode: status.st_mode & 0o7777, user: status.st_uid, group: status.st_gid,
                 size: kind == .file ? UInt64(clamping: status.st_size) : 0, time: Int64(status.st_mtim.tv_sec),
                 nanoseconds: UInt32(truncatingIfNeeded: status.st_mtim.tv_nsec), attributes: attributes)
    }

    /// The extended attributes of an open file, as far as they can be read.
    private func attributes(_ file: Int32) -> [TarEntry.Attribute] {
        var list = [UInt8](repeating: 0, count: 64 << 10)
        let size = list.withUnsafeMutableBytes { flistxattr(file, $0.baseAddress?.assumingMemoryBound(to: CChar.self), $0.count) }
        guard size > 0 else { return [] }
        var attributes: [TarEntry.Attribute] = []
        for name in list[..<size].split(separator: 0) {
            var value = [UInt8](repeating: 0, count: 64 << 10)
            let count = CPath(Array(name)) { name in value.withUnsafeMutableBytes { fgetxattr(file, name, $0.baseAddress, $0.count) } }
            if count >= 0 { attributes.append(TarEntry.Attribute(name: Array(name), value: Array(value[..<count]))) }
        }
        return attributes
    }
}
