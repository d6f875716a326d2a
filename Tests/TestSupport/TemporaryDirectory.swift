import CLinux
import Glibc
import LinuxSystem

/// A directory of its own for one test, removed with the files in it.
public final class TemporaryDirectory: Sendable {
    public let path: String

    public init() {
        let template = Array("/tmp/svmm-test-XXXXXX".utf8CString)
        path = template.withUnsafeBufferPointer { source in
            let copy = UnsafeMutablePointer<CChar>.allocate(capacity: source.count)
            defer { copy.deallocate() }
            copy.update(from: source.baseAddress!, count: source.count)
            guard mkdtemp(copy) != nil else { fatalError("mkdtemp: \(Errno.current)") }
            return String(cString: copy)
        }
    }

    deinit {
        guard let directory = opendir(path) else { return }
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name == "." || name == ".." { continue }
            if unlink("\(path)/\(name)") != 0 { rmdir("\(path)/\(name)") }
        }
        closedir(directory)
        rmdir(path)
    }

    /// A path in it.
    public func path(_ name: String) -> String { "\(path)/\(name)" }

    /// Makes a file with these bytes and returns its path.
    public func file(_ name: String, _ bytes: [UInt8]) throws -> String {
        let file = try FileDescriptor.open(path(name), [.writeOnly, .create, .truncate])
        try bytes.withUnsafeBytes { try file.writeAll($0) }
        return path(name)
    }

    /// Makes a file that is this long and all holes, and returns its path.
    public func sparseFile(_ name: String, size: Int) throws -> String {
        let path = try file(name, [])
        guard truncate(path, size) == 0 else { throw Errno.current }
        return path
    }

    public func contents(_ name: String) -> [UInt8]? {
        LinuxSystem.contents(ofSmallFile: path(name), limit: 1 << 26)
    }

    public func makeDirectory(_ name: String) -> String {
        mkdir(path(name), 0o700)
        return path(name)
    }

    public func makeFIFO(_ name: String) -> String {
        mkfifo(path(name), 0o600)
        return path(name)
    }
}

/// An open file that holds these bytes and has no name.
public func anonymousFile(_ bytes: [UInt8]) throws -> FileDescriptor {
    let file = try FileDescriptor.anonymousFile(name: "svmm test")
    try bytes.withUnsafeBytes { try file.writeAll($0) }
    return file
}

/// An open file in memory that can be kept from growing: it stands for a file on a file system that has become full.
public struct FullFile: ~Copyable {
    private let file: FileDescriptor

    public init(_ bytes: [UInt8]) throws {
        let raw = memfd_create("svmm test", UInt32(MFD_CLOEXEC) | UInt32(MFD_ALLOW_SEALING))
        guard raw >= 0 else { throw Errno.current }
        let descriptor = FileDescriptor(owning: raw)
        try bytes.withUnsafeBytes { try writeAll(raw, $0) }
        file = descriptor
    }

    /// By which it can be opened again.
    public var path: String { "/proc/self/fd/\(file.raw)" }

    /// Makes it shorter, for good: writes behind the new end fail from now on.
    public func fill(at size: Int) throws {
        let addSeals: Int32 = 1033, sealGrow: Int32 = 4  // F_ADD_SEALS, F_SEAL_GROW
        guard ftruncate(file.raw, size) == 0,
            svmm_fcntl_value(file.raw, addSeals, sealGrow) == 0 else { throw Errno.current }
    }
}
