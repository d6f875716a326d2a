import Glibc
import LinuxSystem

/// The steps as messages.
public final class ProtocolRunner {
    public let client: Client
    private var handles: [(fid: UInt32, isWritable: Bool)] = []

    public init(_ client: Client) { self.client = client }

    public func run(_ step: Step) throws -> Outcome {
        do {
            return .done(try perform(step))
        } catch let error as Refused {
            return .failed(error.errno.rawValue)
        }
    }

    /// The fid of the directory that a path is in, and the last name.
    private func parent<Result>(_ path: String, _ body: (UInt32, String) throws -> Result) throws -> Result {
        let names = path.split(separator: "/").map(String.init)
        let fid = try find(names.dropLast().joined(separator: "/"))
        defer { try? client.clunk(fid) }
        return try body(fid, names.last ?? "")
    }

    /// As the kernel's path walk does: a walk that ends early says why at its first bad step.
    private func find(_ path: String) throws -> UInt32 {
        let fid = client.newFid()
        _ = try client.walk(Client.root, fid, [])
        do {
            for name in path.split(separator: "/") { _ = try client.walk(fid, fid, [Array(name.utf8)]) }
        } catch {
            try client.clunk(fid)
            throw error
        }
        return fid
    }

    private func with<Result>(_ path: String, _ body: (UInt32) throws -> Result) throws -> Result {
        let fid = try find(path)
        defer { try? client.clunk(fid) }
        return try body(fid)
    }

    /// The group of new files: the client's kernel sends the directory's where that is set-group-ID.
    private func group(_ directory: UInt32) throws -> UInt32 {
        let attributes = try client.getattr(directory)
        return attributes.mode & 0o2000 != 0 ? attributes.group : 0
    }

    private func handle(_ index: Int) throws -> UInt32 {
        guard index < handles.count else { throw Refused(EBADF) }
        return handles[index].fid
    }

    private func perform(_ step: Step) throws -> [UInt8] {
        switch step {
        case .create(let path, let flags, let mode):
            try parent(path) { fid, name in
                let open = client.newFid()
                _ = try client.walk(fid, open, [])
                do { try client.lcreate(open, name.raw, flags: flags, mode: mode, group: group(fid)) } catch {
                    try client.clunk(open)
                    throw error
                }
                handles.append((open, flags & 3 != 0))
            }
        case .open(let path, let flags):
            let fid = try find(path)
            do { try client.lopen(fid, flags) } catch {
                try client.clunk(fid)
                throw error
            }
            handles.append((fid, flags & 3 != 0))
        case .close(let index):
            try client.clunk(handle(index))
            handles.remove(at: index)
        case .write(let index, let offset, let bytes):
            return [UInt8(truncatingIfNeeded: try client.write(handle(index), at: offset, bytes))]
        case .read(let index, let offset, let count): return try client.read(handle(index), at: offset, count)
        case .truncateHandle(let index, let size):
            // The client's kernel knows how the file is open, and answers by itself.
            guard index >= handles.count || handles[index].isWritable else { throw Refused(EINVAL) }
            try client.setattr(handle(index), .size(size))
        case .truncate(let path, let size): try with(path) { try client.setattr($0, .size(size)) }
        case .mkdir(let path, let mode): try parent(path) { try client.mkdir($0, $1, mode: mode, group: group($0)) }
        case .rmdir(let path): try parent(path) { try client.unlinkat($0, $1, flags: 0x200) }
        case .unlink(let path): try parent(path) { try client.unlinkat($0, $1) }
        case .rename(let from, let to):
            try parent(from) { fid, name in try parent(to) { try client.renameat(fid, name, $0, $1) } }
        case .link(let from, let to):
            try with(from) { fid in try parent(to) { try client.link($0, fid, $1) } }
        case .symlink(let path, let target):
            try parent(path) { try client.symlink($0, $1, to: target, group: group($0)) }
        case .mkfifo(let path): try parent(path) { try client.mknod($0, $1, mode: S_IFIFO | 0o600, group: group($0)) }
        case .chmod(let path, let mode): try with(path) { try client.setattr($0, .mode(mode)) }
        case .chown(let path, let user, let group): try with(path) { try client.setattr($0, .owner(user, group)) }
        case .utimes(let path, let accessed, let modified):
            try with(path) { try client.setattr($0, .times(accessed, modified)) }
        case .setXattr(let path, let name, let value, let flags):
            try with(path) { try client.setXattr($0, name, value, flags: flags) }
        case .removeXattr(let path, let name): try with(path) { try client.setXattr($0, name, [], flags: 2) }
        case .stat(let path): _ = try with(path) { try client.getattr($0) }
        case .readlink(let path): return try with(path) { try client.readlink($0) }
        }
        return []
    }
}
