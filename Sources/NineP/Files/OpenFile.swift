import LinuxSystem
import Synchronization

/// A file or directory that a fid has open.
final class OpenFile: Sendable {
    let node: Node
    let file: FileDescriptor
    let isDirectory: Bool
    let isWritable: Bool
    /// A number that no other open file of the session has had.
    let serial: UInt64
    /// Where the directory's next record is; nil when that is not known. Its reads are one at a time.
    let position = Mutex<UInt64?>(0)
    private let reservation: Reservation

    init(
        node: Node, file: consuming FileDescriptor, isDirectory: Bool, isWritable: Bool, serial: UInt64,
        reservation: consuming Reservation
    ) {
        self.node = node
        self.file = file
        self.isDirectory = isDirectory
        self.isWritable = isWritable
        self.serial = serial
        self.reservation = reservation
    }
}
