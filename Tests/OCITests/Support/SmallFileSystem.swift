import Glibc
import LinuxSystem
import TestSupport

/// A file system in memory that is soon full; nil for a user who may not mount one.
final class SmallFileSystem: Sendable {
    private let directory = TemporaryDirectory()
    private let mountPoint: String

    init?(size: Int) throws {
        mountPoint = directory.makeDirectory("full")
        guard mount("svmm-test", mountPoint, "tmpfs", 0, "size=\(size)") == 0 else {
            let error = Errno.current
            if error == .notPermitted { return nil }
            throw error
        }
    }

    deinit {
        umount2(mountPoint, Int32(MNT_DETACH))
    }

    func path(_ name: String) -> String { "\(mountPoint)/\(name)" }
}
