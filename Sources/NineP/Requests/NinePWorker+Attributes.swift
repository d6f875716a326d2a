import LinuxSystem

extension NinePWorker {
    /// size[4] Tgetattr tag[2] fid[4] request_mask[8]
    func getattr(_ message: inout MessageReader, _ reply: inout MessageWriter) throws(Errno) {
        let number = try message.word()
        let mask = try message.long()
        try message.finish()
        let fid = try session.fid(number)
        let attributes: FileAttributes
        let qid: Qid
        if case .file(let node, _, _) = try fid.place() {
            attributes = try node.visibleAttributes(fid.user)
            qid = try node.export.host.paths.qid(attributes)
        } else {
            let time = session.server.startTime
            attributes = FileAttributes(syntheticDirectory: PathNumbers.sharesPath, permissions: 0o755, time: time)
            qid = Self.sharesQid
        }
        // Everything is there anyway; what was not asked for is not in the way.
        let created = mask & GetattrMask.created != 0 ? attributes.created : nil
        reply.put(GetattrMask.basic | (created == nil ? 0 : GetattrMask.created))
        reply.put(qid)
        reply.put(attributes.mode)
        reply.put(attributes.user)
        reply.put(attributes.group)
        reply.put(UInt64(attributes.links))
        reply.put(Self.deviceNumber(attributes))
        reply.put(attributes.size)
        reply.put(UInt64(attributes.blockSize))
        reply.put(attributes.blocks)
        reply.put(attributes.accessed)
        reply.put(attributes.modified)
        reply.put(attributes.changed)
        reply.put(created ?? FileTime(seconds: 0, nanoseconds: 0))
        reply.put(UInt64(0))  // gen
        reply.put(UInt64(0))  // data_version
    }

    /// As Linux encodes device numbers for other machines (new_encode_dev).
    private static func deviceNumber(_ attributes: FileAttributes) -> UInt64 {
        let (major, minor) = (UInt64(attributes.deviceMajor), UInt64(attributes.deviceMinor))
        return minor & 0xFF | (major & 0xFFF) << 8 | (minor & ~0xFF) << 12
    }

    /// size[4] Tsetattr tag[2] fid[4] valid[4] mode[4] uid[4] gid[4] size[8] atime_sec[8] atime_nsec[8] mtime_sec[8]
    /// mtime_nsec[8]
    ///
    /// In the order in which one change does not undo another: a change of owner clears set-user-ID, a change of size
    /// sets the modification time.
    func setattr(_ message: inout MessageReader) throws(Errno) {
        let number = try message.word()
        let valid = try message.word()
        let mode = try message.word()
        let user = try message.word()
        let group = try message.word()
        let size = try message.long()
        let accessed = FileTimeFields(seconds: try message.long(), nanoseconds: try message.long())
        let modified = FileTimeFields(seconds: try message.long(), nanoseconds: try message.long())
        try message.finish()
        let fid = try session.fid(number)
        let node = try fid.writableNode()
        let accessedChange = try accessed.change(
            valid, SetattrMask.accessed, SetattrMask.accessedSet)
        let modifiedChange = try modified.change(
            valid, SetattrMask.modified, SetattrMask.modifiedSet)

        let newUser = valid & SetattrMask.user != 0 ? user : nil
        let newGroup = valid & SetattrMask.group != 0 ? group : nil
        // A change of the status time alone is asked for as such.
        if newUser != nil || newGroup != nil || valid == SetattrMask.changed {
            try node.setOwner(user: newUser, group: newGroup)
        }
        if valid & SetattrMask.mode != 0 { try node.setPermissions(mode & 0o7777) }
        if valid & SetattrMask.size != 0 { try setSize(size, node, fid) }
        if accessedChange != .keep || modifiedChange != .keep {
            try node.file.setTimes(accessed: accessedChange, modified: modifiedChange)
        }
    }

    /// Through the open file where there is one that can be written, as ftruncate(2) does not ask for permission again.
    private func setSize(_ size: UInt64, _ node: Node, _ fid: Fid) throws(Errno) {
        if case .open(let open) = try fid.use(), open.isWritable {
            try open.file.setSize(size)
            return
        }
        switch try node.visibleType() {
        case .regular: try node.reopen([.writeOnly]).setSize(size)
        case .directory: throw .isDirectory
        default: throw .invalidArgument
        }
    }

    /// size[4] Tstatfs tag[2] fid[4]
    func statfs(_ message: inout MessageReader, _ reply: inout MessageWriter) throws(Errno) {
        let number = try message.word()
        try message.finish()
        guard case .file(let node, _, _) = try session.fid(number).place() else {
            reply.put(UInt32(0x0102_1997))  // V9FS_MAGIC
            reply.put(UInt32(4096))
            for _ in 0..<6 { reply.put(UInt64(0)) }
            reply.put(UInt32(FileName.maximumLength))
            return
        }
        let status = try node.file.fileSystemStatus()
        reply.put(status.type)
        reply.put(status.blockSize)
        for value in [status.blocks, status.freeBlocks, status.availableBlocks, status.files, status.freeFiles,
                      status.identifier] {
            reply.put(value)
        }
        reply.put(min(status.maximumNameLength, UInt32(FileName.maximumLength)))
    }
}

/// A time in a message.
private struct FileTimeFields {
    let seconds: UInt64
    let nanoseconds: UInt64

    /// Without its SET bit, a time that changes becomes the host's time.
    func change(_ valid: UInt32, _ bit: UInt32, _ setBit: UInt32) throws(Errno) -> FileTimeChange {
        guard valid & bit != 0 else { return .keep }
        guard valid & setBit != 0 else { return .now }
        guard nanoseconds < 1_000_000_000 else { throw .invalidArgument }
        return .set(FileTime(seconds: Int64(bitPattern: seconds), nanoseconds: UInt32(nanoseconds)))
    }
}
