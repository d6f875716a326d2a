import LinuxSystem

extension NinePSession {
    /// Opens the file that a place is, with a request's flags. The only way to an open file but making one.
    func open(_ node: Node, _ flags: UInt32) throws(Errno) -> OpenFile {
        let access = flags & OpenFlags.accessMode
        guard access != 3 else { throw .invalidArgument }
        let changes = access != 0 || flags & OpenFlags.truncate != 0
        let type = try node.visibleType()
        guard type == .directory || flags & OpenFlags.directory == 0 else { throw .notDirectory }
        switch type {
        case .directory: guard !changes else { throw .isDirectory }
        case .regular: break
        case .symbolicLink: throw .tooManyLinks
        default: throw .accessDenied
        }
        if changes { try node.export.checkWritable() }
        let reservation = try node.export.host.reserveDescriptor()
        let opened = try node.reopen(OpenMode(rawValue: Int32(flags & OpenFlags.forHost)))
        return OpenFile(node: node, HeldFile(opened, reservation), flags: flags, serial: nextOpenFileSerial())
    }
}
