import CLinux
import Glibc
import LinuxSystem

/// The steps as calls on a directory.
public final class DirectRunner {
    public let root: String
    private var handles: [Int32] = []

    public init(_ root: String) { self.root = root }

    deinit { for handle in handles { close(handle) } }

    public var handleCount: Int { handles.count }

    /// Whether the file that is open has no name any more.
    public func isUnlinked(_ index: Int) -> Bool {
        var status = stat()
        return index < handles.count && fstat(handles[index], &status) == 0 && status.st_nlink == 0
    }

    public func run(_ step: Step) -> Outcome {
        func check(_ result: Int32) -> Outcome { result == 0 ? .done([]) : .failed(errno) }
        func full(_ path: String) -> String { "\(root)/\(path)" }
        func take(_ descriptor: Int32) -> Outcome {
            guard descriptor >= 0 else { return .failed(errno) }
            handles.append(descriptor)
            return .done([])
        }
        for path in step.paths where leadsThroughLink(path) { return .failed(ENOTDIR) }
        switch step {
        case .create(let path, let flags, let mode):
            let flags = Int32(flags) | O_NOFOLLOW
            let made = svmm_open(full(path), flags | O_CREAT | O_EXCL, 0o600)
            if made >= 0 { fchmod(made, mode) }
            guard made < 0, errno == EEXIST, flags & O_EXCL == 0 else { return take(made) }
            guard !isFIFO(path) else { return .failed(EACCES) }
            return take(svmm_open(full(path), flags | O_CREAT, 0o600))
        case .open(let path, let flags):
            // Not opened by the server, whatever the host would do.
            guard !isFIFO(path) else { return .failed(flags & 0o200000 == 0 ? EACCES : ENOTDIR) }
            return take(svmm_open(full(path), Int32(flags) | O_NOFOLLOW, 0))
        case .close(let index):
            guard index < handles.count else { return .failed(EBADF) }
            return check(close(handles.remove(at: index)))
        case .write(let index, let offset, let bytes):
            guard index < handles.count else { return .failed(EBADF) }
            let count = pwrite(handles[index], bytes, bytes.count, off_t(offset))
            return count >= 0 ? .done([UInt8(truncatingIfNeeded: count)]) : .failed(errno)
        case .read(let index, let offset, let count):
            guard index < handles.count else { return .failed(EBADF) }
            var bytes = [UInt8](repeating: 0, count: Int(count))
            let done = pread(handles[index], &bytes, Int(count), off_t(offset))
            return done >= 0 ? .done(Array(bytes[..<done])) : .failed(errno)
        case .truncateHandle(let index, let size):
            guard index < handles.count else { return .failed(EBADF) }
            return check(ftruncate(handles[index], off_t(size)))
        case .truncate(let path, let size):
            var status = stat()
            // truncate(2) would follow a link.
            if lstat(full(path), &status) == 0, status.st_mode & S_IFMT == S_IFLNK { return .failed(EINVAL) }
            return check(Glibc.truncate(full(path), off_t(size)))
        case .mkdir(let path, let mode):
            let result = Glibc.mkdir(full(path), 0o700)
            if result == 0 { Glibc.chmod(full(path), mode) }
            return check(result)
        case .rmdir(let path): return check(Glibc.rmdir(full(path)))
        case .unlink(let path): return check(Glibc.unlink(full(path)))
        case .rename(let from, let to): return check(Glibc.rename(full(from), full(to)))
        case .link(let from, let to): return check(Glibc.link(full(from), full(to)))
        case .symlink(let path, let target): return check(Glibc.symlink(target, full(path)))
        case .mkfifo(let path):
            let result = Glibc.mkfifo(full(path), 0o600)
            return check(result)
        case .chmod(let path, let mode): return check(fchmodat(AT_FDCWD, full(path), mode, AT_SYMLINK_NOFOLLOW))
        case .chown(let path, let user, let group): return check(lchown(full(path), user, group))
        case .utimes(let path, let accessed, let modified):
            let times = [accessed, modified].map { timespec(tv_sec: Int($0.seconds), tv_nsec: Int($0.nanoseconds)) }
            return check(utimensat(AT_FDCWD, full(path), times, AT_SYMLINK_NOFOLLOW))
        case .setXattr(let path, let name, let value, let flags):
            return check(lsetxattr(full(path), name, value, value.count, Int32(flags)))
        case .removeXattr(let path, let name): return check(lremovexattr(full(path), name))
        case .stat(let path): return check(lstat(full(path), &self.scratch))
        case .readlink(let path):
            var bytes = [CChar](repeating: 0, count: 4096)
            let count = Glibc.readlink(full(path), &bytes, 4096)
            return count >= 0 ? .done(bytes[..<count].map { UInt8(bitPattern: $0) }) : .failed(errno)
        }
    }

    private var scratch = Glibc.stat()

    private func isFIFO(_ path: String) -> Bool {
        var status = stat()
        return lstat("\(root)/\(path)", &status) == 0 && status.st_mode & S_IFMT == S_IFIFO
    }

    /// Calls would follow symbolic links on the way; a client's kernel resolves them itself.
    private func leadsThroughLink(_ path: String) -> Bool {
        let names = path.split(separator: "/")
        for count in 1..<max(names.count, 1) {
            var status = stat()
            guard lstat("\(root)/\(names[..<count].joined(separator: "/"))", &status) == 0 else { return false }
            if status.st_mode & S_IFMT == S_IFLNK { return true }
        }
        return false
    }
}
