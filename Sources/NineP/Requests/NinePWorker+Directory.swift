import LinuxSystem

extension NinePWorker {
    /// size[4] Treaddir tag[2] fid[4] offset[8] count[4]
    ///
    /// Entries are qid[13] offset[8] type[1] name[s]; an entry's offset is the host's d_off, so it stays good after
    /// seeks and while other entries come and go.
    func readdir(
        _ message: inout MessageReader, _ reply: inout MessageWriter, _ buffers: any MessageBuffers
    ) throws(Errno) -> Int {
        let number = try message.word()
        let offset = try message.long()
        let wanted = try message.word()
        try message.finish()
        let room = min(dataRoom(wanted, buffers), staging.count)
        var entries = MessageWriter(UnsafeMutableRawBufferPointer(rebasing: staging[..<room]), start: 0)
        switch try session.fid(number).use() {
        case .open(let open):
            guard open.isDirectory else { throw .notDirectory }
            try list(open, from: offset, room: room, &entries)
        case .listing:
            try listShares(after: offset, room: room, &entries)
        case .none, .value, .draft:
            throw .badDescriptor
        }
        reply.put(UInt32(entries.count))
        guard buffers.copyReply(entries.bytes, at: Limits.dataReplyHeaderSize) == entries.count else { throw .ioError }
        return entries.count
    }

    private static func entrySize(_ nameLength: Int) -> Int { 13 + 8 + 1 + 2 + nameLength }

    private func list(
        _ open: OpenFile, from offset: UInt64, room: Int, _ entries: inout MessageWriter
    ) throws(Errno) {
        // An entry of the protocol is at most 7/6 the size of the host's record, so what is read here fits there, but
        // for the smallest of rooms.
        let size = min(max(room / 7 * 6, 320), records.count)
        let buffer = UnsafeMutableRawBufferPointer(rebasing: records[..<size])
        try open.position.withLock { position throws(Errno) in
            if position != offset {
                position = nil
                try open.file.setDirectoryPosition(offset)
            }
            // Not known until this read has gone well.
            position = nil
            repeat {
                let count = try open.file.readDirectory(into: buffer)
                guard count > 0 else {
                    if entries.count == 0 { position = offset }
                    return
                }
                var failure: Errno?
                var isFull = false
                var last: UInt64?
                forEachDirectoryRecord(in: UnsafeRawBufferPointer(rebasing: buffer[..<count])) { record in
                    // Longer names, which some file systems have, could not be asked for.
                    guard record.name.count <= FileName.maximumLength else {
                        last = record.next
                        return true
                    }
                    guard Self.entrySize(record.name.count) <= room - entries.count else {
                        isFull = true
                        return false
                    }
                    do throws(Errno) {
                        try put(record, of: open.node, &entries)
                    } catch {
                        failure = error
                        return false
                    }
                    last = record.next
                    return true
                }
                if let failure { throw failure }
                if isFull, entries.count == 0 { throw .invalidArgument }
                if !isFull { position = last }
            } while entries.count == 0
        }
    }

    private func put(_ record: DirectoryRecord, of directory: Node, _ entries: inout MessageWriter) throws(Errno) {
        // The parent of a share's root is nobody's business: there, `..` is the root itself.
        let isOutside = directory.isRoot && record.isDotOrDotDot
        let inode = isOutside ? directory.inode : record.inode
        var type = record.type
        if type == 0, !record.isDotOrDotDot { type = Self.lookUpType(record, directory) }
        // A regular file of a mapped share may be anything; the client asks when it has to know.
        if directory.export.ownership == .mapped, type == FileType.regular.directoryEntryType { type = 0 }
        let qidType = Qid.type(FileType(mode: UInt32(type) << 12))
        let path = try directory.export.host.paths.path(device: directory.device, inode: inode)
        entries.put(Qid(type: qidType, version: 0, path: path))
        entries.put(record.next)
        entries.put(type)
        entries.put(string: record.name)
    }

    private static func lookUpType(_ record: DirectoryRecord, _ directory: Node) -> UInt8 {
        guard let name = try? FileName(record.name), let attributes = try? directory.file.attributes(of: name),
              let type = FileType(mode: attributes.mode) else { return 0 }
        return type.directoryEntryType
    }

    /// `.` has offset 1, `..` 2, and a share its serial plus 2: offsets that no other entry ever gets.
    private func listShares(after offset: UInt64, room: Int, _ entries: inout MessageWriter) throws(Errno) {
        func put(_ name: some Collection<UInt8>, _ path: UInt64, _ next: UInt64, _ type: FileType = .directory) -> Bool {
            guard Self.entrySize(name.count) <= room - entries.count else { return false }
            entries.put(Qid(type: Qid.type(type), version: 0, path: path))
            entries.put(next)
            entries.put(type.directoryEntryType)
            entries.put(string: name)
            return true
        }
        var isFull = false
        for dots in UInt64(1)...2 where offset < dots && !isFull {
            isFull = !put([UInt8](repeating: UInt8(ascii: "."), count: Int(dots)), PathNumbers.sharesPath, dots)
        }
        if !isFull {
            for listed in session.server.exports(after: offset > 2 ? offset - 2 : 0) {
                let export = listed.export
                let path = try export.host.paths.path(device: export.rootDevice, inode: export.rootInode)
                guard put(export.name.bytes, path, listed.serial + 2, export.rootType) else {
                    isFull = true
                    break
                }
            }
        }
        if isFull, entries.count == 0 { throw .invalidArgument }
    }
}
