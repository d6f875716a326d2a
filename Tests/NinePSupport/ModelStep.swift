import LinuxSystem

/// One step of a random session.
public enum Step: CustomStringConvertible {
    case create(path: String, flags: UInt32, mode: UInt32)
    case open(path: String, flags: UInt32)
    case close(handle: Int)
    case write(handle: Int, offset: UInt64, bytes: [UInt8])
    case read(handle: Int, offset: UInt64, count: UInt32)
    case truncateHandle(Int, UInt64)
    case truncate(path: String, UInt64)
    case mkdir(path: String, mode: UInt32)
    case rmdir(path: String)
    case unlink(path: String)
    case rename(from: String, to: String)
    case link(from: String, to: String)
    case symlink(path: String, target: String)
    case mkfifo(path: String)
    case chmod(path: String, UInt32)
    case chown(path: String, UInt32, UInt32)
    case utimes(path: String, FileTime, FileTime)
    case setXattr(path: String, name: String, value: [UInt8], flags: UInt32)
    case removeXattr(path: String, name: String)
    case stat(path: String)
    case readlink(path: String)

    public var description: String {
        switch self {
        case .write(let handle, let offset, let bytes): "write(\(handle), \(offset), \(bytes.count) bytes)"
        default: "\(Mirror(reflecting: self).children.first.map { "\($0.label ?? "")\($0.value)" } ?? "")"
        }
    }

    public var paths: [String] {
        switch self {
        case .create(let path, _, _), .open(let path, _), .truncate(let path, _), .mkdir(let path, _), .rmdir(let path),
             .unlink(let path), .symlink(let path, _), .mkfifo(let path), .chmod(let path, _), .chown(let path, _, _),
             .utimes(let path, _, _), .setXattr(let path, _, _, _), .removeXattr(let path, _), .stat(let path),
             .readlink(let path): [path]
        case .rename(let from, let to), .link(let from, let to): [from, to]
        case .close, .write, .read, .truncateHandle: []
        }
    }

    public static func random<Source: ChoiceSource>(_ random: inout Source, handles: Int) -> Step {
        let names = ["a", "b", "c", "d"]
        func path(_ random: inout Source) -> String {
            (0...random.below(3)).map { _ in random.pick(names) }.joined(separator: "/")
        }
        let one = path(&random)
        let two = path(&random)
        let handle = random.below(max(handles, 1))
        let access = UInt32(random.below(3))
        let mode = UInt32(random.pick([0o600, 0o644, 0o755, 0o700, 0o4711, 0o2750]))
        let offset = UInt64(random.pick([0, 1, 100, 4096, 10_000]))
        func time(_ random: inout Source) -> FileTime {
            FileTime(seconds: Int64(random.below(2_000_000_000)), nanoseconds: UInt32(random.below(1_000_000_000)))
        }
        switch random.below(30) {
        case 0, 1, 2:
            return .create(path: one, flags: access | UInt32(random.pick([0, 0o200, 0o1000, 0o2000])), mode: mode)
        case 3, 4: return .open(path: one, flags: access | UInt32(random.pick([0, 0, 0o1000, 0o2000, 0o200000])))
        case 5: return .close(handle: handle)
        case 6, 7, 8: return .write(handle: handle, offset: offset, bytes: random.bytes(random.below(3000)))
        case 9, 10: return .read(handle: handle, offset: offset, count: UInt32(random.below(8000)))
        case 11: return .truncateHandle(handle, offset)
        case 12: return .truncate(path: one, offset)
        case 13, 14, 15: return .mkdir(path: one, mode: mode & 0o3777)
        case 16: return .rmdir(path: one)
        case 17, 18: return .unlink(path: one)
        case 19, 20: return .rename(from: one, to: two)
        case 21: return .link(from: one, to: two)
        case 22: return .symlink(path: one, target: two)
        case 23: return .mkfifo(path: one)
        case 24: return .chmod(path: one, mode)
        case 25: return .chown(path: one, UInt32(random.below(5)), UInt32(random.below(5)))
        case 26: return .utimes(path: one, time(&random), time(&random))
        case 27:
            return .setXattr(path: one, name: random.pick(["user.a", "user.b"]),
                             value: random.bytes(1 + random.below(50)), flags: UInt32(random.below(3)))
        case 28: return .removeXattr(path: one, name: random.pick(["user.a", "user.b"]))
        default: return random.below(2) == 0 ? .stat(path: one) : .readlink(path: one)
        }
    }
}

/// What a step gave: an error, or what it read.
public enum Outcome: Equatable {
    case done([UInt8])
    case failed(Int32)
}
