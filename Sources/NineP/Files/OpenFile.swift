import LinuxSystem
import Synchronization

/// A file or directory that a fid has open.
final class OpenFile: Sendable {
    let node: Node
    let held: HeldFile
    let isDirectory: Bool
    /// Those of Tlopen or Tlcreate that stay true of the file: `OpenFlags.kept`.
    let flags: UInt32
    /// A number that no other open file of the session has had.
    let serial: UInt64
    /// Where the directory's next record is; nil when that is not known. Its reads are one at a time.
    let position = Mutex<UInt64?>(0)
    /// Whether the fid has let go of it, and of its locks, while a request may still use it.
    let isClosed = Atomic<Bool>(false)

    init(node: Node, _ held: HeldFile, flags: UInt32, serial: UInt64) {
        self.node = node
        self.held = held
        isDirectory = node.hostType == .directory
        self.flags = flags & OpenFlags.kept
        self.serial = serial
    }

    var isReadable: Bool { flags & OpenFlags.accessMode != OpenFlags.writeOnly }
    var isWritable: Bool { flags & OpenFlags.accessMode != 0 }

    var file: FileDescriptor {
        _read { yield held.file }
    }
}
