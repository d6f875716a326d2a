import LinuxSystem

/// Serves requests of one session on one thread: the scratch memory for that, made once.
public final class NinePWorker: @unchecked Sendable {
    // Sound: handed over to one thread, which alone calls `serve`; the buffers live as long as the worker.
    let session: NinePSession
    var vectors: IOVectorList
    /// Directory records as the host has them.
    let records = UnsafeMutableRawBufferPointer.allocate(byteCount: NinePWorker.listingSize, alignment: 8)
    /// Directory entries as the protocol has them, and values of extended attributes.
    let staging = UnsafeMutableRawBufferPointer.allocate(byteCount: NinePWorker.listingSize, alignment: 8)
    private let request = UnsafeMutableRawBufferPointer.allocate(byteCount: Limits.requestSize, alignment: 8)
    private let reply = UnsafeMutableRawBufferPointer.allocate(byteCount: Limits.replySize, alignment: 8)

    /// Of Rreaddir's data at most; the client asks again. Not less than the largest extended attribute.
    static let listingSize = 65536

    /// - Parameter vectorCapacity: areas that a transfer may lie in: the queue's size, for virtio.
    public init(session: NinePSession, vectorCapacity: Int) {
        self.session = session
        vectors = IOVectorList(capacity: vectorCapacity)
    }

    deinit {
        records.deallocate()
        staging.deallocate()
        request.deallocate()
        reply.deallocate()
    }

    /// Does what a request asks for and puts the reply in place; returns its size in bytes.
    public func serve(_ ticket: NinePTicket, _ buffers: any MessageBuffers) -> Int {
        var writer = MessageWriter(reply, start: Limits.headerSize)
        // Bytes that already lie behind the writer's.
        var dataCount = 0
        var type = MessageType.errorReply
        do throws(Errno) {
            guard let known = MessageType(rawValue: ticket.type) else { throw .notSupported }
            let body = try takeRequest(ticket, known, buffers)
            var reader = MessageReader(body)
            dataCount = try dispatch(known, ticket, &reader, &writer, buffers)
            let size = writer.count + dataCount
            guard !writer.isTooLarge, size <= buffers.replyCapacity,
                  size <= max(session.maximumMessageSize, 4096) else { throw .messageSize }
            type = known.rawValue + 1
        } catch {
            writer = MessageWriter(reply, start: Limits.headerSize)
            writer.put(UInt32(bitPattern: error.rawValue))
            dataCount = 0
        }
        let size = writer.count + dataCount
        writer.replace(UInt32(size), at: 0)
        writer.replace(type, at: 4)
        writer.replace(ticket.tag, at: 5)
        return buffers.copyReply(writer.bytes, at: 0) == writer.count ? size : 0
    }

    /// Copies the request behind its header; of Twrite, only what comes before the data.
    private func takeRequest(
        _ ticket: NinePTicket, _ type: MessageType, _ buffers: any MessageBuffers
    ) throws(Errno) -> UnsafeRawBufferPointer {
        let size = Int(ticket.size)
        let limit = session.maximumMessageSize
        guard limit > 0 || type == .version else { throw .protocolError }
        guard limit == 0 || size <= limit else { throw .messageSize }
        guard size >= Limits.headerSize, size <= buffers.requestCount else { throw .invalidArgument }
        var count = size - Limits.headerSize
        if type == .write { count = min(count, Limits.writeHeaderSize - Limits.headerSize) }
        guard count <= request.count else { throw .messageSize }
        let bytes = UnsafeMutableRawBufferPointer(rebasing: request[..<count])
        guard buffers.copyRequest(at: Limits.headerSize, into: bytes) == count else { throw .invalidArgument }
        return UnsafeRawBufferPointer(bytes)
    }

    /// Returns the bytes of data that were put behind the reply's fields.
    private func dispatch(
        _ type: MessageType, _ ticket: NinePTicket, _ message: inout MessageReader, _ reply: inout MessageWriter,
        _ buffers: any MessageBuffers
    ) throws(Errno) -> Int {
        switch type {
        case .version: try version(ticket, &message, &reply)
        case .auth: throw .notSupported  // no server that Linux meets asks for it
        case .attach: try attach(&message, &reply)
        case .flush: try flush(ticket, &message)
        case .walk: try walk(&message, &reply)
        case .clunk: try clunk(&message)
        case .remove: try remove(&message)
        case .lopen: try lopen(&message, &reply)
        case .lcreate: try lcreate(&message, &reply)
        case .read: return try read(&message, &reply, buffers)
        case .write: try write(ticket, &message, &reply, buffers)
        case .readdir: return try readdir(&message, &reply, buffers)
        case .fsync: try fsync(&message)
        case .getattr: try getattr(&message, &reply)
        case .setattr: try setattr(&message)
        case .statfs: try statfs(&message, &reply)
        case .mkdir: try mkdir(&message, &reply)
        case .mknod: try mknod(&message, &reply)
        case .symlink: try symlink(&message, &reply)
        case .readlink: try readlink(&message, &reply)
        case .link: try link(&message)
        case .rename: try rename(&message)
        case .renameat: try renameat(&message)
        case .unlinkat: try unlinkat(&message)
        case .xattrwalk: try xattrwalk(&message, &reply)
        case .xattrcreate: try xattrcreate(&message)
        case .lock: try lock(&message, &reply)
        case .getlock: try getlock(&message, &reply)
        }
        return 0
    }

    func qid(_ node: Node, _ fid: Fid) throws(Errno) -> Qid {
        try node.export.host.paths.qid(try node.visibleAttributes(fid.user))
    }

    /// As `qid`, of a file that has just been found or made.
    func qid(found node: Node, _ fid: Fid) throws(Errno) -> Qid {
        node.export.ownership == .mapped ? try qid(node, fid) : node.qidWhenFound
    }

    static let sharesQid = Qid(type: Qid.directory, version: 1, path: PathNumbers.sharesPath)
}
