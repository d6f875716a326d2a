import LinuxSystem

extension NinePWorker {
    /// size[4] Txattrwalk tag[2] fid[4] newfid[4] name[s]
    ///
    /// The new fid reads the value; of no name, the list of names.
    func xattrwalk(_ message: inout MessageReader, _ reply: inout MessageWriter) throws(Errno) {
        let number = try message.word()
        let newNumber = try message.word()
        let name = try message.string()
        try message.finish()
        let fid = try session.fid(number)
        guard newNumber != number, !session.hasFid(newNumber) else { throw .invalidArgument }
        let place = try fid.place()
        let bytes: [UInt8]
        switch place {
        case .file(let node, _, _):
            bytes = name.isEmpty ? try attributeNames(node) : try attributeValue(node, name)
        case .shares, .gone:
            guard name.isEmpty else { throw .noAttribute }
            bytes = []
        }
        let reservation = try session.attributeBytes.reserve(bytes.count, or: .noMemory)
        let value = AttributeValue(bytes, reservation: reservation)
        try session.insert(Fid(user: fid.user, place, use: .value(value)), as: newNumber)
        reply.put(UInt64(bytes.count))
    }

    private func attributeValue(_ node: Node, _ name: UnsafeRawBufferPointer) throws(Errno) -> [UInt8] {
        let hostName = try AttributeNames.hostName(name, node.export.ownership)
        // What is never opened has none that a client could reach.
        guard node.hostType == .regular || node.hostType == .directory else { throw .noAttribute }
        let count = try node.reopenForAttributes().attributeValue(hostName, into: staging)
        return Array(staging[..<count])
    }

    private func attributeNames(_ node: Node) throws(Errno) -> [UInt8] {
        guard node.hostType == .regular || node.hostType == .directory else { return [] }
        let count = try node.reopenForAttributes().attributeNames(into: staging)
        return AttributeNames.visible(UnsafeRawBufferPointer(rebasing: staging[..<count]), node.export.ownership)
    }

    /// size[4] Txattrcreate tag[2] fid[4] name[s] attr_size[8] flags[4]
    ///
    /// The value is written to the fid, and set when it is clunked.
    func xattrcreate(_ message: inout MessageReader) throws(Errno) {
        let number = try message.word()
        let name = try message.string()
        let size = try message.long()
        let flags = try message.word()
        try message.finish()
        let fid = try session.fid(number)
        let node = try fid.writableNode()
        guard size <= UInt64(Limits.attributeSize) else { throw .argumentTooLarge }
        guard let rawFlags = Int32(exactly: flags), let condition = AttributeCondition(rawValue: rawFlags) else {
            throw .invalidArgument
        }
        let hostName = try AttributeNames.hostName(name, node.export.ownership)
        guard node.hostType == .regular || node.hostType == .directory else { throw .notSupported }
        let reservation = try session.attributeBytes.reserve(Int(size), or: .noMemory)
        try fid.begin(.draft(AttributeDraft(
            node: node, name: hostName, size: Int(size), condition: condition, reservation: reservation)))
    }
}
