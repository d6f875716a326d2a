import LinuxSystem

extension NinePWorker {
    /// size[4] Tread tag[2] fid[4] offset[8] count[4]
    ///
    /// One preadv(2) from the file into the reply's buffers. Of a fid of Txattrwalk, the value.
    func read(
        _ message: inout MessageReader, _ reply: inout MessageWriter, _ buffers: any MessageBuffers
    ) throws(Errno) -> Int {
        let number = try message.word()
        let offset = try message.long()
        let wanted = try message.word()
        try message.finish()
        let count = dataRoom(wanted, buffers)
        let done: Int
        switch try session.fid(number).use() {
        case .open(let open):
            guard !open.isDirectory else { throw .isDirectory }
            // The kernel is not asked for no bytes.
            guard open.isReadable else { throw .badDescriptor }
            try Self.check(offset, count)
            vectors.removeAll()
            guard buffers.gatherReply(from: Limits.dataReplyHeaderSize, count: count, into: &vectors) else {
                throw .ioError
            }
            done = try open.file.read(into: &vectors, at: offset)
        case .value(let value):
            let start = Int(min(offset, UInt64(value.bytes.count)))
            done = value.bytes.withUnsafeBytes { bytes in
                let part = bytes[start..<(start + min(count, bytes.count - start))]
                return buffers.copyReply(UnsafeRawBufferPointer(rebasing: part), at: Limits.dataReplyHeaderSize)
            }
        case .listing:
            throw .isDirectory
        case .none, .draft:
            throw .badDescriptor
        }
        reply.put(UInt32(done))
        return done
    }

    /// size[4] Twrite tag[2] fid[4] offset[8] count[4] data[count]
    ///
    /// One pwritev(2) from the request's buffers into the file. Of a fid of Txattrcreate, a part of the value.
    func write(
        _ ticket: NinePTicket, _ message: inout MessageReader, _ reply: inout MessageWriter,
        _ buffers: any MessageBuffers
    ) throws(Errno) {
        let number = try message.word()
        let offset = try message.long()
        let count = Int(try message.word())
        try message.finish()
        guard count == Int(ticket.size) - Limits.writeHeaderSize else { throw .invalidArgument }
        let done: Int
        let fid = try session.fid(number)
        switch try fid.use() {
        case .open(let open):
            guard open.isWritable else { throw .badDescriptor }
            if fid.user != 0, count > 0 { try open.node.clearSetIDs(through: open.file) }
            try Self.check(offset, count)
            vectors.removeAll()
            guard buffers.gatherRequest(from: Limits.writeHeaderSize, count: count, into: &vectors) else {
                throw .ioError
            }
            done = try open.file.write(from: &vectors, at: offset)
        case .draft(let draft):
            guard count <= staging.count else { throw .invalidArgument }
            let bytes = UnsafeMutableRawBufferPointer(rebasing: staging[..<count])
            guard buffers.copyRequest(at: Limits.writeHeaderSize, into: bytes) == count else { throw .ioError }
            try draft.write(UnsafeRawBufferPointer(bytes), at: offset)
            done = count
        case .listing, .none, .value:
            throw .badDescriptor
        }
        reply.put(UInt32(done))
    }

    /// How much data the reply can have: what msize and the buffers leave, and no more than is wanted.
    func dataRoom(_ wanted: UInt32, _ buffers: any MessageBuffers) -> Int {
        let room = min(Int(session.maximumMessageSize), buffers.replyCapacity) - Limits.dataReplyHeaderSize
        return max(min(Int(wanted), room), 0)
    }

    /// File offsets are signed.
    private static func check(_ offset: UInt64, _ count: Int) throws(Errno) {
        guard offset <= UInt64(Int64.max) - UInt64(count) else { throw .invalidArgument }
    }
}
