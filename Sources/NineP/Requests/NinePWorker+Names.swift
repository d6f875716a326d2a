import LinuxSystem

extension NinePWorker {
    /// size[4] Tmkdir tag[2] dfid[4] name[s] mode[4] gid[4]
    func mkdir(_ message: inout MessageReader, _ reply: inout MessageWriter) throws(Errno) {
        let number = try message.word()
        let name = try message.name()
        let mode = try message.word()
        let group = try message.word()
        try message.finish()
        let fid = try session.fid(number)
        let directory = try fid.writableNode()
        let new = NewFile(mode: mode, type: .directory, user: fid.user, group: group)
        reply.put(try qid(found: try directory.makeDirectory(name, new), fid))
    }

    /// size[4] Tmknod tag[2] dfid[4] name[s] mode[4] major[4] minor[4] gid[4]
    func mknod(_ message: inout MessageReader, _ reply: inout MessageWriter) throws(Errno) {
        let number = try message.word()
        let name = try message.name()
        let mode = try message.word()
        let major = try message.word()
        let minor = try message.word()
        let group = try message.word()
        try message.finish()
        let fid = try session.fid(number)
        let directory = try fid.writableNode()
        // As mknod(2): no type is a regular file.
        guard let type = mode & FileType.mask == 0 ? .regular : FileType(mode: mode),
              type != .directory, type != .symbolicLink else { throw .invalidArgument }
        var new = NewFile(mode: mode, type: type, user: fid.user, group: group)
        if type == .characterDevice || type == .blockDevice {
            // What Linux can have.
            guard major < 1 << 12, minor < 1 << 20 else { throw .invalidArgument }
            new.deviceMajor = major
            new.deviceMinor = minor
        }
        reply.put(try qid(found: try directory.makeNode(name, new), fid))
    }

    /// size[4] Tsymlink tag[2] fid[4] name[s] symtgt[s] gid[4]
    func symlink(_ message: inout MessageReader, _ reply: inout MessageWriter) throws(Errno) {
        let number = try message.word()
        let name = try message.name()
        let target = try LinkTarget(try message.string())
        let group = try message.word()
        try message.finish()
        let fid = try session.fid(number)
        let directory = try fid.writableNode()
        let new = NewFile(mode: 0o777, type: .symbolicLink, user: fid.user, group: group)
        reply.put(try qid(found: try directory.makeSymbolicLink(name, to: target, new), fid))
    }

    /// size[4] Treadlink tag[2] fid[4]
    func readlink(_ message: inout MessageReader, _ reply: inout MessageWriter) throws(Errno) {
        let number = try message.word()
        try message.finish()
        guard case .file(let node, _, _) = try session.fid(number).place() else { throw .invalidArgument }
        reply.put(string: try node.linkTarget())
    }

    /// size[4] Tlink tag[2] dfid[4] fid[4] name[s]
    func link(_ message: inout MessageReader) throws(Errno) {
        let directoryNumber = try message.word()
        let number = try message.word()
        let name = try message.name()
        try message.finish()
        let directory = try session.fid(directoryNumber).writableNode()
        let node = try session.fid(number).writableNode()
        try Self.checkSameShare(node, directory)
        try node.export.host.descriptors.link(node.file, into: directory.file, as: name)
    }

    /// size[4] Trename tag[2] fid[4] dfid[4] name[s]
    func rename(_ message: inout MessageReader) throws(Errno) {
        let number = try message.word()
        let directoryNumber = try message.word()
        let name = try message.name()
        try message.finish()
        let fid = try session.fid(number)
        let node = try fid.writableNode()
        let target = try session.fid(directoryNumber).writableNode()
        try Self.checkSameShare(node, target)
        let (directory, oldName) = try Self.whereFound(fid)
        try directory.file.rename(oldName, into: target.file, as: name)
        fid.renamed(into: target, as: name)
    }

    /// size[4] Trenameat tag[2] olddirfid[4] oldname[s] newdirfid[4] newname[s]
    func renameat(_ message: inout MessageReader) throws(Errno) {
        let oldNumber = try message.word()
        let oldName = try message.name()
        let newNumber = try message.word()
        let newName = try message.name()
        try message.finish()
        let source = try session.fid(oldNumber).writableNode()
        let target = try session.fid(newNumber).writableNode()
        try Self.checkSameShare(source, target)
        try source.file.rename(oldName, into: target.file, as: newName)
    }

    /// size[4] Tunlinkat tag[2] dirfd[4] name[s] flags[4]
    func unlinkat(_ message: inout MessageReader) throws(Errno) {
        let number = try message.word()
        let name = try message.name()
        let flags = try message.word()
        try message.finish()
        let removesDirectory: UInt32 = 0x200  // AT_REMOVEDIR
        guard flags & ~removesDirectory == 0 else { throw .invalidArgument }
        let directory = try session.fid(number).writableNode()
        try directory.file.remove(name, isDirectory: flags != 0)
    }

    /// Shares may lie in one file system, and are still apart.
    private static func checkSameShare(_ left: Node, _ right: Node) throws(Errno) {
        guard left.export === right.export else { throw .crossDevice }
    }
}
