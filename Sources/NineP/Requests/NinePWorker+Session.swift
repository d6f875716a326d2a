import LinuxSystem

extension NinePWorker {
    /// size[4] Tversion tag[2] msize[4] version[s]
    func version(_ ticket: NinePTicket, _ message: inout MessageReader, _ reply: inout MessageWriter) throws(Errno) {
        let size = try message.word()
        let name = try message.string()
        try message.finish()
        guard size >= 4096 else { throw .messageSize }
        // A session begins anew: what came before is over, and nothing of it stays open.
        session.inFlight.waitForEarlier(than: ticket.sequence)
        session.reset()
        let agreed = min(size, min(max(session.server.options.maximumMessageSize, 4096), 1 << 20))
        let isKnown = name.elementsEqual(Limits.versionName)
        if isKnown { session.agree(onMessageSize: agreed) }
        reply.put(agreed)
        reply.put(string: isKnown ? Limits.versionName : Limits.unknownVersionName)
    }

    /// size[4] Tflush tag[2] oldtag[2]
    ///
    /// Requests are not cut short: the reply waits until the one to be flushed has been answered.
    func flush(_ ticket: NinePTicket, _ message: inout MessageReader) throws(Errno) {
        let tag = try message.short()
        try message.finish()
        session.inFlight.waitForEarlier(than: ticket.sequence, tag: tag)
    }

    /// size[4] Tattach tag[2] fid[4] afid[4] uname[s] aname[s] n_uname[4]
    func attach(_ message: inout MessageReader, _ reply: inout MessageWriter) throws(Errno) {
        let number = try message.word()
        let authentication = try message.word()
        _ = try message.string()
        let path = try message.string()
        let user = try message.word()
        try message.finish()
        guard authentication == Limits.noFid else { throw .badDescriptor }

        // "NAME" and "/NAME" mean a share of the synthetic root; nothing, and "/", the root itself.
        let slash = UInt8(ascii: "/")
        let name = UnsafeRawBufferPointer(rebasing: path.first == slash ? path.dropFirst() : path[...])
        let place: Place
        switch session.server.root {
        case .shares where name.isEmpty:
            place = .shares
        case .shares:
            guard let export = session.server.export(named: try FileName(name)) else { throw .noEntry }
            place = .file(try export.rootNode(), foundIn: nil, as: nil)
        case .share(let export):
            guard name.isEmpty else { throw .noEntry }
            place = .file(try export.rootNode(), foundIn: nil, as: nil)
        }
        let fid = Fid(user: user, place)
        let qid = if case .file(let node, _, _) = place { try qid(node, fid) } else { Self.sharesQid }
        try session.insert(fid, as: number)
        reply.put(qid)
    }

    /// size[4] Tclunk tag[2] fid[4]
    ///
    /// The fid is gone, whatever the reply.
    func clunk(_ message: inout MessageReader) throws(Errno) {
        let number = try message.word()
        try message.finish()
        let fid = try session.remove(number)
        switch fid.lastUse {
        case .open(let file): session.locks.close(file)
        case .draft(let draft): try draft.commit()
        case .none, .listing, .value: break
        }
    }

    /// size[4] Tremove tag[2] fid[4]
    ///
    /// Removes the file by the name under which the fid found it, then the fid, which goes in any case.
    func remove(_ message: inout MessageReader) throws(Errno) {
        let number = try message.word()
        try message.finish()
        let fid = try session.remove(number)
        if case .open(let file) = fid.lastUse { session.locks.close(file) }
        let node = try fid.writableNode()
        let (directory, name) = try Self.whereFound(fid)
        try directory.file.remove(name, isDirectory: node.hostType == .directory)
    }

    /// The directory and the name that the fid's file still has there. Throws `.busy` for the root of a share, `.stale`
    /// when the name is another file's by now.
    static func whereFound(_ fid: Fid) throws(Errno) -> (Node, FileName) {
        guard case .file(let node, let directory, let name) = try fid.place(), let directory, let name else {
            throw .busy
        }
        guard node.isSameFile(as: try directory.file.attributes(of: name)) else { throw .stale }
        return (directory, name)
    }
}
