import CLinux
import Glibc
import LinuxSystem

/// The same steps by messages on one directory and by system calls on another: contents, attributes and errors are to be the same.
public final class ModelComparison {
    private let served = Tree()
    private let direct = Tree()
    private let protocolRunner: ProtocolRunner
    private let directRunner: DirectRunner

    public init() throws {
        protocolRunner = ProtocolRunner(try Client(served.server()))
        directRunner = DirectRunner(direct.share)
    }

    /// Open files, which steps name by their numbers.
    public var handleCount: Int { directRunner.handleCount }

    /// Does a step both ways; what was different, if anything.
    public func difference(_ step: Step) throws -> String? {
        let expected = directRunner.run(step)
        let got = try protocolRunner.run(step)
        return got == expected || Self.isKnownDifference(step, expected, got) ? nil : "\(got), expected \(expected)"
    }

    /// Every file of both directories, as one line each.
    public func contents() throws -> (served: [String], direct: [String]) {
        (try Self.snapshot(served.share), try Self.snapshot(direct.share))
    }

    /// Where two errors are due and either may come first.
    private static func isKnownDifference(_ step: Step, _ expected: Outcome, _ got: Outcome) -> Bool {
        guard case .failed(let wanted) = expected, case .failed(let found) = got else { return false }
        switch step {
        // User attributes of what is no file or directory: the client's kernel refuses those by itself.
        case .setXattr, .removeXattr: return wanted == EPERM && found == EOPNOTSUPP
        // Either path may be looked at first.
        case .rename, .link: return [ENOENT, ENOTDIR].contains(wanted) && [ENOENT, ENOTDIR].contains(found)
        default: return false
        }
    }

    /// Every file below a directory, as one line each.
    private static func snapshot(_ root: String, _ path: String = "") throws -> [String] {
        var lines: [String] = []
        let full = root + path
        var status = stat()
        guard lstat(full, &status) == 0 else { throw Errno.current }
        let type = status.st_mode & S_IFMT
        var line = "\(path) \(String(status.st_mode, radix: 8)) \(status.st_uid) \(status.st_gid) \(status.st_nlink)"
        if type == S_IFREG {
            let contents = LinuxSystem.contents(ofSmallFile: full, limit: 1 << 24) ?? []
            line += " \(status.st_size) \(contents.reduce(UInt64(5381)) { $0 &* 33 &+ UInt64($1) })"
        }
        for name in ["user.a", "user.b"] where type == S_IFREG || type == S_IFDIR {
            var value = [UInt8](repeating: 0, count: 100)
            let count = lgetxattr(full, name, &value, 100)
            if count >= 0 { line += " \(name)=\(value[..<count])" }
        }
        lines.append(line)
        if type == S_IFDIR {
            for name in ["a", "b", "c", "d"] {
                var child = stat()
                if lstat("\(full)/\(name)", &child) == 0 { lines += try snapshot(root, "\(path)/\(name)") }
            }
        }
        return lines
    }
}
