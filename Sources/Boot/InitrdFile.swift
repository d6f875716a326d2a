import LinuxSystem

/// An initrd, opened: a file whose bytes go into guest memory as they are.
public final class InitrdFile: Sendable {
    let file: FileDescriptor
    /// Bytes.
    public let size: UInt64

    public init(_ file: consuming FileDescriptor) throws(BootError) {
        do throws(Errno) {
            let status = try file.status()
            size = status.kind == .regular ? status.size : .max
        } catch {
            throw .file(error)
        }
        self.file = file
        if size == .max { throw .initrdKind }
    }
}
