import Glibc
import LinuxSystem
import NineP
import TestSupport

/// A directory that is shared, with something beside it that must stay as it is.
final class SharedDirectory {
    static let secret: [UInt8] = Array("beside the share".utf8)

    private let directory = TemporaryDirectory()
    let path: String

    init() throws {
        path = directory.makeDirectory("share")
        _ = try directory.file("secret", Self.secret)
        _ = mkdir("\(path)/dir", 0o755)
        let file = try FileDescriptor.open("\(path)/a", [.writeOnly, .create], permissions: 0o644)
        try [UInt8](repeating: 1, count: 3000).withUnsafeBytes { try file.writeAll($0) }
        _ = symlink("a", "\(path)/link")
        _ = symlink("..", "\(path)/out")
    }

    deinit { try? removeTree(path) }

    /// A server of the directory alone, or of a synthetic one with it in it.
    func server(_ input: inout FuzzInput) throws -> NinePServer {
        let ownership = input.pick([Ownership.passthrough, .mapped, .squash(user: 0, group: nil)])
        let share = Share(name: "share", path: path, isReadOnly: input.once(in: 8), ownership: ownership,
                          specialFiles: input.pick([.harmless, .none]))
        return try server(share, isSynthetic: input.once(in: 4))
    }

    func server(_ share: Share, isSynthetic: Bool = false) throws -> NinePServer {
        var options = NinePOptions()
        options.maximumFids = 64
        options.maximumDescriptors = 256
        guard isSynthetic else { return try NinePServer(share: share, options: options) }
        let server = try NinePServer(options: options)
        try server.add(share)
        return server
    }

    /// What is beside the share is as it was, and nothing has joined it.
    func checkOutside() {
        require(directory.contents("secret") == Self.secret, "a file beside the share was changed")
        let names = (try? LinuxSystem.names(inDirectory: directory.path)) ?? []
        require(names.sorted() == ["secret", "share"], "beside the share there is now \(names)")
    }
}
