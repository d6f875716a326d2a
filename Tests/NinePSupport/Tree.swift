import CLinux
import Glibc
import LinuxSystem
import NineP

/// A directory of its own for one test, removed with everything below it.
public final class Tree: Sendable {
    public let path: String

    public init() {
        var template = Array("/tmp/svmm-9p-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { fatalError("mkdtemp: \(Errno.current)") }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        mkdir(share, 0o755)
    }

    deinit {
        Self.removeAll(path)
    }

    /// The directory that is shared; what lies beside it is outside.
    public var share: String { "\(path)/share" }

    public func inside(_ name: String) -> String { "\(share)/\(name)" }
    public func outside(_ name: String) -> String { "\(path)/\(name)" }

    /// A server of this share alone.
    public func server(
        _ ownership: Ownership = .passthrough, readOnly: Bool = false, specialFiles: SpecialFiles = .harmless,
        options: NinePOptions = NinePOptions()
    ) throws -> NinePServer {
        try NinePServer(share: Share(name: "share", path: share, isReadOnly: readOnly, ownership: ownership,
                                     specialFiles: specialFiles), options: options)
    }

    @discardableResult
    public func file(_ path: String, _ bytes: [UInt8] = []) throws -> String {
        let file = try FileDescriptor.open(path, [.writeOnly, .create, .truncate], permissions: 0o644)
        try bytes.withUnsafeBytes { try file.writeAll($0) }
        return path
    }

    public func contents(_ path: String) -> [UInt8]? {
        contents(path, 1 << 26)
    }

    private func contents(_ path: String, _ limit: Int) -> [UInt8]? {
        LinuxSystem.contents(ofSmallFile: path, limit: limit)
    }

    public func status(_ path: String) throws -> stat {
        var status = stat()
        guard lstat(path, &status) == 0 else { throw Errno.current }
        return status
    }

    private static func removeAll(_ path: String) {
        guard let directory = opendir(path) else { return }
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { name in
                    Array(UnsafeBufferPointer(start: name, count: strlen(name)))
                }
            }
            if name == [46] || name == [46, 46] { continue }
            let child = Array(path.utf8CString.dropLast()) + [47] + name + [0]
            if unlink(child) != 0 {
                removeAll(String(decoding: child.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self))
                rmdir(child)
            }
        }
        closedir(directory)
        rmdir(path)
    }
}

extension String {
    public var raw: [UInt8] { Array(utf8) }
}
