import AgentCore
import AgentProtocol

/// Unpacks a tar archive into a directory in which others may be at work, and which may hold links that lead anywhere: every name is resolved by
/// the kernel, below that directory (RESOLVE_BENEATH), and its last component is never followed.
struct Extractor {
    private let directory: Int32
    private var source: ByteSource
    private var reader = TarReader()
    /// Whether a member "." gives the directory itself its owner, mode and time.
    private let changesRoot: Bool
    /// Times of directories, which the members below them would change again.
    private var times: [(name: [UInt8], time: Int64, nanoseconds: UInt32)] = []
    private static let timesLimit = 100_000
    /// The parent of the last member.
    private var parentName: [UInt8]?
    private var parentFile: Int32 = -1

    init(_ source: Int32, into directory: Int32, changesRoot: Bool) {
        self.directory = directory
        self.source = ByteSource(source)
        self.changesRoot = changesRoot
    }

    mutating func run() throws(AgentFailure) {
        while let block = try source.exactly(Tar.blockSize) {
            let step: TarReader.Step
            do throws(TarReader.Failure) {
                step = try reader.header(block)
            } catch {
                throw AgentFailure(.failed, error.text)
            }
            switch step {
            case .nothing: continue
            case .end:
                source.drain()
                return setTimes()
            case .data(let size):
                let bytes = try source.exactly(size) ?? []
                try source.skip(Tar.padding(UInt64(size)))
                do throws(TarReader.Failure) {
                    try reader.take(bytes)
                } catch {
                    throw AgentFailure(.failed, error.text)
                }
            case .entry(let entry): try extract(entry)
            }
        }
        setTimes()
    }

    private mutating func extract(_ entry: TarEntry) throws(AgentFailure) {
        let components = PathName.components(entry.name)
        guard !components.contains(where: PathName.isParent) else { throw failure(entry, "a name with .. is refused") }
        guard let name = components.last else {
            // The directory itself.
            try skipContents(entry)
            if changesRoot, entry.kind == .directory { try finish(entry, directory, isDirectory: true) }
            return
        }
        let parent = try self.parent(Array(components.dropLast()), entry)
        switch entry.kind {
        case .directory: try makeDirectory(entry, name, parent)
        case .file: try makeFile(entry, name, parent)
        case .symbolicLink(let target):
            try replace(entry, name, parent) { path in CPath(target) { symlinkat($0, parent, path) } }
            setOwner(entry, name, parent)
        case .hardLink(let target): try makeLink(entry, name, parent, target)
        case .fifo: try makeNode(entry, name, parent, 0o010000, 0)
        case .characterDevice(let major, let minor): try makeNode(entry, name, parent, 0o020000, agent_device(major, minor))
        case .blockDevice(let major, let minor): try makeNode(entry, name, parent, 0o060000, agent_device(major, minor))
        }
    }

    private mutating func skipContents(_ entry: TarEntry) throws(AgentFailure) {
        var rest = entry.size
        while rest > 0 {
            let part = min(rest, 1 << 20)
            try source.skip(Int(part))
            rest -= part
        }
        try source.skip(Tar.padding(entry.size))
    }

    private func failure(_ entry: TarEntry, _ words: String) -> AgentFailure {
        AgentFailure(.failed, "archive member `\(text(entry.name))`: \(words)")
    }

    private func open(_ path: [UInt8], _ flags: Int32) -> Int32 {
        CPath(path.isEmpty ? [UInt8(ascii: ".")] : path) {
            agent_openat2(directory, $0, flags, 0, UInt32(AGENT_RESOLVE_BENEATH | AGENT_RESOLVE_NO_MAGICLINKS))
        }
    }

    /// The directory in which a member lies; what is missing is made. Its descriptor is good until the next call.
    private mutating func parent(_ components: [[UInt8]], _ entry: TarEntry) throws(AgentFailure) -> Int32 {
        let path = Array(components.joined(separator: [UInt8(ascii: "/")]))
        if parentName == path { return parentFile }
        var file = open(path, O_RDONLY | O_DIRECTORY)
        if file < 0, agent_errno() == ENOENT {
            file = open([], O_RDONLY | O_DIRECTORY)
            var made: [UInt8] = []
            for component in components where file >= 0 {
                _ = CPath(component) { mkdirat(file, $0, 0o755) }
                close(file)
                made += (made.isEmpty ? [] : [UInt8(ascii: "/")]) + component
                file = open(made, O_RDONLY | O_DIRECTORY)
            }
        }
        guard file >= 0 else {
            let error = Errno.current
            // EXDEV is how the kernel says that a link leads outside.
            throw failure(entry, error.code == EXDEV ? "a link on its way leads out of the directory" : error.text)
        }
        if parentFile >= 0 { close(parentFile) }
        parentFile = file
        parentName = path
        return file
    }

    private mutating func makeDirectory(_ entry: TarEntry, _ name: [UInt8], _ parent: Int32) throws(AgentFailure) {
        if CPath(name)({ mkdirat(parent, $0, 0o700) }) != 0 {
            var status = stat()
            guard CPath(name)({ fstatat(parent, $0, &status, AT_SYMLINK_NOFOLLOW) }) == 0 else { throw failure(entry, Errno.current.text) }
            if status.kind == .link {
                // One to a directory stays, as tar and cp do it.
                let path = Array(PathName.components(entry.name).joined(separator: [UInt8(ascii: "/")]))
                let file = open(path, AGENT_O_PATH | O_DIRECTORY)
                if file >= 0 {
                    close(file)
                    return
                }
            }
            if status.kind != .directory {
                try replace(entry, name, parent) { mkdirat(parent, $0, 0o700) }
            }
        }
        let file = CPath(name) { agent_openat(parent, $0, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0) }
        guard file >= 0 else { throw failure(entry, Errno.current.text) }
        defer { close(file) }
        try finish(entry, file, isDirectory: true)
    }

    private mutating func makeFile(_ entry: TarEntry, _ name: [UInt8], _ parent: Int32) throws(AgentFailure) {
        let flags = O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY
        var file = CPath(name) { agent_openat(parent, $0, flags | O_CREAT | O_EXCL, 0o600) }
        if file < 0, agent_errno() == EEXIST {
            if CPath(name)({ unlinkat(parent, $0, 0) }) == 0 {
                file = CPath(name) { agent_openat(parent, $0, flags | O_CREAT | O_EXCL, 0o600) }
            } else if agent_errno() == EBUSY {
                // Something is mounted there: its contents change, and it stays.
                file = CPath(name) { agent_openat(parent, $0, flags | O_TRUNC, 0) }
            }
        }
        guard file >= 0 else { throw failure(entry, Errno.current.text) }
        defer { close(file) }
        var rest = entry.size
        while rest > 0 {
            guard let part = try source.next(Int(min(rest, 1 << 20))) else { throw failure(entry, "the archive ends in the middle") }
            do throws(Errno) {
                try writeAll(file, part)
            } catch {
                throw failure(entry, error.text)
            }
            rest -= UInt64(part.count)
        }
        try source.skip(Tar.padding(entry.size))
        try finish(entry, file, isDirectory: false)
    }

    private func makeNode(_ entry: TarEntry, _ name: [UInt8], _ parent: Int32, _ type: UInt32, _ device: dev_t) throws(AgentFailure) {
        try replace(entry, name, parent) { mknodat(parent, $0, type | entry.mode, device) }
        setOwner(entry, name, parent)
        // The process's mask and the change of the owner took something away. The container may have put a link there meanwhile, which
        // would be followed in the agent's own root.
        let node = CPath(name) { agent_openat(parent, $0, AGENT_O_PATH | O_NOFOLLOW, 0) }
        guard node >= 0 else { return }
        defer { close(node) }
        var status = stat()
        guard fstat(node, &status) == 0, UInt32(status.st_mode) & 0o170000 == type else { return }
        _ = chmod("/proc/self/fd/\(node)", mode_t(entry.mode))
    }

    private func makeLink(_ entry: TarEntry, _ name: [UInt8], _ parent: Int32, _ target: [UInt8]) throws(AgentFailure) {
        let components = PathName.components(target)
        guard let last = components.last, !components.contains(where: PathName.isParent) else {
            throw failure(entry, "a link to `\(text(target))` is refused")
        }
        let file = open(Array(components.dropLast().joined(separator: [UInt8(ascii: "/")])), AGENT_O_PATH | O_DIRECTORY)
        guard file >= 0 else { throw failure(entry, "link to `\(text(target))`: \(Errno.current.text)") }
        defer { close(file) }
        // To itself.
        var one = stat(), other = stat()
        if CPath(last)({ fstatat(file, $0, &one, AT_SYMLINK_NOFOLLOW) }) == 0,
           CPath(name)({ fstatat(parent, $0, &other, AT_SYMLINK_NOFOLLOW) }) == 0, one.st_ino == other.st_ino, one.st_dev == other.st_dev {
            return
        }
        try replace(entry, name, parent) { path in CPath(last) { linkat(file, $0, parent, path, 0) } }
    }

    /// Makes something, in the place of what is there if that is no directory.
    private func replace(
        _ entry: TarEntry, _ name: [UInt8], _ parent: Int32, _ make: (UnsafePointer<CChar>) -> Int32
    ) throws(AgentFailure) {
        if CPath(name)(make) == 0 { return }
        if agent_errno() == EEXIST, CPath(name)({ unlinkat(parent, $0, 0) }) == 0, CPath(name)(make) == 0 { return }
        throw failure(entry, Errno.current.text)
    }

    private func setOwner(_ entry: TarEntry, _ name: [UInt8], _ parent: Int32) {
        _ = CPath(name) { fchownat(parent, $0, entry.user, entry.group, AT_SYMLINK_NOFOLLOW) }
        var times = [timespec(tv_sec: 0, tv_nsec: Int(agent_utime_omit())),
                     timespec(tv_sec: time_t(entry.time), tv_nsec: Int(entry.nanoseconds))]
        _ = CPath(name) { utimensat(parent, $0, &times, AT_SYMLINK_NOFOLLOW) }
    }

    private mutating func finish(_ entry: TarEntry, _ file: Int32, isDirectory: Bool) throws(AgentFailure) {
        // File systems without owners (a share that maps them) are no reason to stop.
        _ = fchown(file, entry.user, entry.group)
        guard fchmod(file, mode_t(entry.mode)) == 0 else { throw failure(entry, Errno.current.text) }
        for attribute in entry.attributes where !attribute.name.starts(with: Array("trusted.".utf8)) {
            _ = CPath(attribute.name) { name in
                attribute.value.withUnsafeBytes { fsetxattr(file, name, $0.baseAddress, $0.count, 0) }
            }
        }
        if isDirectory {
            if times.count < Self.timesLimit { times.append((entry.name, entry.time, entry.nanoseconds)) }
        } else {
            setTime(file, entry.time, entry.nanoseconds)
        }
    }

    private func setTimes() {
        for entry in times.reversed() {
            let path = Array(PathName.components(entry.name).joined(separator: [UInt8(ascii: "/")]))
            let file = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
            guard file >= 0 else { continue }
            setTime(file, entry.time, entry.nanoseconds)
            close(file)
        }
    }

    private func setTime(_ file: Int32, _ time: Int64, _ nanoseconds: UInt32) {
        var times = [timespec(tv_sec: 0, tv_nsec: Int(agent_utime_omit())), timespec(tv_sec: time_t(time), tv_nsec: Int(nanoseconds))]
        futimens(file, &times)
    }
}
