import CLinux
import Glibc

/// This process's /proc/self/fd, held open: the way from a file that is open as a path only to the file itself.
///
/// Its entries lead to the very file that a descriptor has, whatever its names are by now, so nothing can be swapped in
/// between. Held as a descriptor, it works after the process has given up /proc.
public struct DescriptorDirectory: ~Copyable, Sendable {
    private let directory: FileDescriptor

    /// The corresponding C function is `open`.
    public init() throws(Errno) {
        directory = try .open("/proc/self/fd", [.pathOnly, .directory])
    }

    /// Opens the file again, in another mode. The caller knows its type: this follows where a FIFO or device would
    /// lead. The corresponding C function is `openat`.
    public func reopen(_ file: borrowing FileDescriptor, _ mode: OpenMode) throws(Errno) -> FileDescriptor {
        let raw = file.raw
        let flags = mode.rawValue | O_CLOEXEC
        return FileDescriptor(owning: try retryingInterrupts {
            withName(raw) { svmm_openat(directory.raw, $0, flags) }
        })
    }

    /// Sets the permissions of a file that is no symbolic link. The corresponding C function is `fchmodat`.
    public func setPermissions(of file: borrowing FileDescriptor, _ permissions: UInt32) throws(Errno) {
        let raw = file.raw
        _ = try once { withName(raw) { fchmodat(directory.raw, $0, permissions, 0) } }
    }

    /// Gives the file another name. The corresponding C function is `linkat`.
    public func link(
        _ file: borrowing FileDescriptor, into target: borrowing FileDescriptor, as name: FileName
    ) throws(Errno) {
        let (raw, into) = (file.raw, target.raw)
        let flags = Int32(SVMM_AT_SYMLINK_FOLLOW.rawValue)
        _ = try once { withName(raw) { linkat(directory.raw, $0, into, name.characters, flags) } }
    }

    /// Calls `body` with the number in decimal, made on the stack: this is on the way of every open.
    private func withName<Result>(_ number: Int32, _ body: (UnsafePointer<CChar>) -> Result) -> Result {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 12) { buffer in
            buffer.initialize(repeating: 0)
            var position = 11
            var rest = number.magnitude
            repeat {
                position -= 1
                buffer[position] = CChar(rest % 10) + 48  // "0"
                rest /= 10
            } while rest > 0
            // Sound: the allocation is not empty and ends in a NUL.
            return body(UnsafePointer(buffer.baseAddress.unsafelyUnwrapped + position))
        }
    }
}
