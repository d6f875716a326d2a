import LinuxSystem

extension NinePWorker {
    /// size[4] Twalk tag[2] fid[4] newfid[4] nwname[2] nwname*(wname[s])
    ///
    /// Each name is one openat2(2) below the file found before it. `..` is refused: Linux keeps track of parents
    /// itself.
    func walk(_ message: inout MessageReader, _ reply: inout MessageWriter) throws(Errno) {
        let number = try message.word()
        let newNumber = try message.word()
        let count = Int(try message.short())
        guard count <= Limits.walkNames else { throw .invalidArgument }
        var names: [FileName] = []
        for _ in 0..<count { names.append(try message.name()) }
        try message.finish()
        let fid = try session.fid(number)
        // An early word, so that nothing is opened for a number that cannot be had.
        if newNumber != number, session.hasFid(newNumber) { throw .invalidArgument }

        var place = try fid.place()
        let countOffset = reply.count
        reply.put(UInt16(0))
        var found: UInt16 = 0
        for name in names {
            do throws(Errno) {
                let next = try step(place, name)
                reply.put(try qid(found: next, fid))
                place = if case .file(let directory, _, _) = place { .file(next, foundIn: directory, as: name) }
                    else { .file(next, foundIn: nil, as: nil) }
            } catch {
                // Only the first name's failure is an error; after that the reply says how far the walk came.
                if found == 0 { throw error }
                reply.replace(found, at: countOffset)
                return
            }
            found += 1
        }
        reply.replace(found, at: countOffset)
        if newNumber == number {
            if count > 0 { try fid.move(to: place) }
        } else {
            // The place of a file that was made and opened at once is the open file: a copy of the fid shall not keep it open.
            if count == 0, case .open = fid.lastUse, case .file(let node, let directory, let name) = place {
                place = .file(try node.copy(), foundIn: directory, as: name)
            }
            try session.insert(Fid(user: fid.user, place), as: newNumber)
        }
    }

    private func step(_ place: Place, _ name: FileName) throws(Errno) -> Node {
        switch place {
        case .file(let node, _, _):
            return try node.child(name)
        case .shares:
            guard let export = session.server.export(named: name) else { throw .noEntry }
            return try export.rootNode()
        case .gone:
            throw .stale
        }
    }
}
