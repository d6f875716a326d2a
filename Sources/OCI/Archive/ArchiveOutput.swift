import LinuxSystem

/// Where an archive is saved: a file that gets its name when it is whole, or what takes bytes as they come.
enum ArchiveOutput {
    /// Standard output (nil), or a device, FIFO or the like that has the path.
    case stream(String?)
    /// A file, and the one beside it that is written first.
    case file(String, temporary: String)

    /// - Parameter path: `-` for standard output. A link stays, and what it leads to is replaced.
    init(_ path: String) {
        guard path != "-" else {
            self = .stream(nil)
            return
        }
        guard let target = Self.end(ofLink: path) else {
            // Opening it says what is wrong.
            self = .stream(path)
            return
        }
        let found = try? fileStatus(at: path)
        // A regular file under another name than its links say, /dev/stdout of a redirected shell: its name is not ours to replace.
        if let found, found.kind != .regular || found.identity != (try? fileStatus(at: target, followingLinks: false))?.identity {
            self = .stream(path)
        } else {
            self = .file(target, temporary: "\(target).svmm-\(UInt32.random(in: 0 ... .max))")
        }
    }

    func open() throws(Errno) -> FileDescriptor {
        switch self {
        case .stream(nil): try .duplicate(of: 1)
        case .stream(let path?): try .open(path, [.writeOnly, .truncate])
        case .file(_, let temporary): try .open(temporary, [.writeOnly, .create, .exclusive], permissions: 0o644)
        }
    }

    var isStream: Bool {
        if case .stream = self { true } else { false }
    }

    /// All of it is written.
    func finish() throws(Errno) {
        if case .file(let path, let temporary) = self { try renameFile(temporary, to: path) }
    }

    /// Leaves nothing of what was written.
    func discard() {
        if case .file(_, let temporary) = self { try? removeFile(temporary) }
    }

    /// What a path leads to, links in the last place followed, whether there is anything at the end or not; nil without an end.
    private static func end(ofLink path: String) -> String? {
        var current = path
        // As many as the kernel follows.
        for _ in 0..<40 {
            guard let link = try? FileDescriptor.open(current, [.pathOnly, .noFollow]), let attributes = try? link.attributes(),
                  FileType(mode: attributes.mode) == .symbolicLink, let bytes = try? link.linkTarget() else { return current }
            let target = String(decoding: bytes, as: UTF8.self)
            let folder = current.lastIndex(of: "/").map { String(current[...$0]) } ?? ""
            current = target.hasPrefix("/") ? target : folder + target
        }
        return nil
    }
}
