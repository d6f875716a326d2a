import LinuxSystem

extension NinePWorker {
    /// size[4] Tlopen tag[2] fid[4] flags[4]
    func lopen(_ message: inout MessageReader, _ reply: inout MessageWriter) throws(Errno) {
        let number = try message.word()
        let flags = try message.word()
        try message.finish()
        let fid = try session.fid(number)
        guard case .file(let node, _, _) = try fid.place() else {
            guard flags & (OpenFlags.accessMode | OpenFlags.truncate) == 0 else { throw .isDirectory }
            try fid.begin(.listing)
            putOpened(Self.sharesQid, &reply)
            return
        }
        let file = try session.open(node, flags)
        let qid = try qid(node, fid)
        try fid.begin(.open(file))
        putOpened(qid, &reply)
    }

    /// size[4] Tlcreate tag[2] fid[4] name[s] flags[4] mode[4] gid[4]
    ///
    /// The fid, so far the directory's, is the open file's afterwards.
    func lcreate(_ message: inout MessageReader, _ reply: inout MessageWriter) throws(Errno) {
        let number = try message.word()
        let name = try message.name()
        let flags = try message.word()
        let mode = try message.word()
        let group = try message.word()
        try message.finish()
        let fid = try session.fid(number)
        guard case .none = try fid.use() else { throw .invalidArgument }
        let directory = try fid.writableNode()
        let new = NewFile(mode: mode, type: .regular, user: fid.user, group: group)
        let (node, file, qid) = try create(name, in: directory, flags, new, fid)
        try fid.begin(.open(file), at: .file(node, foundIn: directory, as: name))
        putOpened(qid, &reply)
    }

    private func create(
        _ name: FileName, in directory: Node, _ flags: UInt32, _ new: NewFile, _ fid: Fid
    ) throws(Errno) -> (Node, OpenFile, Qid) {
        let access = flags & OpenFlags.accessMode
        guard access != 3 else { throw .invalidArgument }
        let mode = OpenMode(rawValue: Int32(flags & OpenFlags.forHost & ~OpenFlags.truncate))
        // The name may come and go while it is looked at; whoever plays that game gets an error.
        for _ in 0..<8 {
            do throws(Errno) {
                let node = try directory.createFile(name, mode, new)
                let file = OpenFile(node: node, node.held, flags: flags, serial: session.nextOpenFileSerial())
                return (node, file, node.qidWhenFound)
            } catch {
                guard error == .exists, flags & OpenFlags.exclusive == 0 else { throw error }
            }
            do throws(Errno) {
                let node = try directory.child(name)
                // As open(2) with O_CREAT.
                guard node.hostType != .directory else { throw .isDirectory }
                let file = try session.open(node, flags)
                return (node, file, try qid(node, fid))
            } catch {
                guard error == .noEntry else { throw error }
            }
        }
        throw .stale
    }

    /// qid[13] iounit[4]: whole pages, as many as fit, so that the client's transfers stay aligned; 0 leaves it to the
    /// client where not one fits.
    private func putOpened(_ qid: Qid, _ reply: inout MessageWriter) {
        reply.put(qid)
        // 0 where a Tversion has begun the session anew meanwhile.
        let size = Int(session.maximumMessageSize)
        reply.put(UInt32(max(size - Limits.transferHeaderSize, 0) & ~4095))
    }

    /// size[4] Tfsync tag[2] fid[4] datasync[4]
    func fsync(_ message: inout MessageReader) throws(Errno) {
        let number = try message.word()
        let dataOnly = try message.word() != 0
        try message.finish()
        let open = try session.fid(number).openFile()
        if dataOnly {
            try open.file.synchronizeData()
        } else {
            try open.file.synchronize()
        }
    }
}
