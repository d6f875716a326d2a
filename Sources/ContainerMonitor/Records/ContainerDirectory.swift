import ContainerProtocol
import LinuxSystem

/// The directory of the container's files, held open: names are looked up in it alone.
final class ContainerDirectory {
    private let descriptor: FileDescriptor

    init(_ path: String) throws(ContainerError) {
        do throws(Errno) {
            descriptor = try .open(path, [.readOnly, .directory])
        } catch {
            throw ContainerError("\(path): the container's directory cannot be opened: \(error)")
        }
    }

    func open(_ name: String, _ mode: OpenMode) throws(Errno) -> FileDescriptor {
        try descriptor.open(try FileName(Array(name.utf8)), mode, permissions: 0o600)
    }

    func rename(_ name: String, to newName: String) throws(Errno) {
        try descriptor.rename(try FileName(Array(name.utf8)), into: descriptor, as: try FileName(Array(newName.utf8)))
    }

    func remove(_ name: String) throws(Errno) {
        try descriptor.remove(try FileName(Array(name.utf8)), isDirectory: false)
    }

    /// Puts a file with these bytes in the place of what has the name: readers find one or the other, whole.
    func replace(_ name: String, with bytes: [UInt8], isDurable: Bool) throws(Errno) {
        let temporary = name + ".new"
        let file = try open(temporary, [.writeOnly, .create, .truncate])
        let result = bytes.withUnsafeBytes { bytes in Result { () throws(Errno) in try file.writeAll(bytes) } }
        try result.get()
        if isDurable { try file.synchronizeData() }
        try rename(temporary, to: name)
    }
}
