import LinuxSystem
import NineP

/// What a server answered with Rlerror.
public struct Refused: Error, Equatable, CustomStringConvertible {
    public let errno: Errno
    public var description: String { "\(errno)" }
    public init(_ errno: Errno) { self.errno = errno }
    public init(_ raw: Int32) { errno = Errno(rawValue: raw) }
}

/// Something no server may answer.
public struct BadReply: Error {
    public let what: String
}

/// A client in the same process: one call sends one message and takes its reply apart.
public final class Client: @unchecked Sendable {
    // Used by one thread at a time.
    public private(set) var session: NinePSession
    public private(set) var worker: NinePWorker
    public var messageSize: UInt32 = 8192
    public var requestPieces: [Int] = []
    public var replyPieces: [Int] = []

    /// The root, attached by `init`.
    public static let root: UInt32 = 0
    private var nextFid: UInt32 = 1

    public init(_ server: NinePServer, messageSize: UInt32 = 1 << 20, user: UInt32 = 0, attach: String? = "") throws {
        session = server.makeSession()
        worker = NinePWorker(session: session, vectorCapacity: 2048)
        if let attach {
            self.messageSize = try version(messageSize)
            _ = try self.attach(Self.root, user: user, name: attach)
        }
    }

    /// Goes on in another server, as after a snapshot of the client's machine: the session is written down and ends, and what was
    /// written is read and restored.
    ///
    /// - Parameter meanwhile: what happens before it is restored.
    public func move(to server: NinePServer, meanwhile: () throws -> Void = {}) throws {
        let saved = session.saved()
        session.reset()
        let read = try SavedSession(encoded: saved.encoded)
        guard read == saved else { throw BadReply(what: "a saved session") }
        try meanwhile()
        restore(read, in: server)
    }

    /// Goes on as what was saved.
    public func restore(_ saved: SavedSession, in server: NinePServer) {
        session = server.restore(saved)
        worker = NinePWorker(session: session, vectorCapacity: 2048)
    }

    public func newFid() -> UInt32 {
        defer { nextFid += 1 }
        return nextFid
    }

    /// Sends bytes as they are; returns the reply as it is.
    public func exchange(_ request: [UInt8], capacity: Int? = nil) -> [UInt8] {
        // Only these have long replies, and memory takes time.
        let isLong = request.count > 4 && [Request.read.rawValue, Request.readdir.rawValue].contains(request[4])
        let room = capacity ?? (isLong ? Int(messageSize) : min(Int(messageSize), 8192))
        let buffers = MemoryBuffers(request, replyCapacity: room, requestPieces: requestPieces,
                                    replyPieces: replyPieces)
        guard let ticket = session.admit(buffers) else { return [] }
        let count = worker.serve(ticket, buffers)
        session.finish(ticket)
        return buffers.reply(count)
    }

    /// Sends a message; returns the fields of its reply. Throws `Refused` for Rlerror.
    public func send(_ message: Message, capacity: Int? = nil) throws -> Fields {
        let request = message.finished
        let reply = exchange(request, capacity: capacity)
        var fields = Fields(reply)
        guard Int(try fields.word()) == reply.count else { throw BadReply(what: "size") }
        let type = try fields.byte()
        guard try fields.raw(2) == Array(request[5..<7]) else { throw BadReply(what: "tag") }
        if type == 7 {
            let error = Refused(Int32(truncatingIfNeeded: try fields.word()))
            guard fields.left == 0 else { throw BadReply(what: "long Rlerror") }
            throw error
        }
        guard type == request[4] + 1 else { throw BadReply(what: "type \(type)") }
        return fields
    }

    private func done(_ fields: Fields) throws {
        guard fields.left == 0 else { throw BadReply(what: "\(fields.left) bytes too many") }
    }

    public func version(_ size: UInt32, _ name: String = "9P2000.L") throws -> UInt32 {
        var fields = try send(Message(.version, tag: 0xFFFF).word(size).string(name), capacity: 8192)
        let size = try fields.word()
        guard try fields.string() == Array(name.utf8) else { throw BadReply(what: "version") }
        return size
    }

    public func attach(_ fid: UInt32, user: UInt32 = 0, name: String = "") throws -> WireQid {
        var fields = try send(Message(.attach).word(fid).word(~0).string("").string(name).word(user))
        return try fields.qid()
    }

    public func walk(_ fid: UInt32, _ newFid: UInt32, _ names: [[UInt8]]) throws -> [WireQid] {
        var message = Message(.walk).word(fid).word(newFid).short(UInt16(names.count))
        for name in names { message = message.string(name) }
        var fields = try send(message)
        let count = try fields.short()
        let qids = try (0..<count).map { _ in try fields.qid() }
        try done(fields)
        return qids
    }

    /// A new fid for a path below another fid, as Linux walks: ENOENT when the walk ends early.
    public func find(_ path: String, from fid: UInt32 = root) throws -> UInt32 {
        let names = path.split(separator: "/").map { Array($0.utf8) }
        let new = newFid()
        guard try walk(fid, new, names).count == names.count else { throw Refused(.noEntry) }
        return new
    }

    @discardableResult
    public func lopen(_ fid: UInt32, _ flags: UInt32 = 0) throws -> WireQid {
        var fields = try send(Message(.lopen).word(fid).word(flags))
        let qid = try fields.qid()
        _ = try fields.word()
        try done(fields)
        return qid
    }

    public func open(_ path: String, _ flags: UInt32 = 0) throws -> UInt32 {
        let fid = try find(path)
        do { try lopen(fid, flags) } catch {
            try clunk(fid)
            throw error
        }
        return fid
    }

    @discardableResult
    public func lcreate(
        _ fid: UInt32, _ name: [UInt8], flags: UInt32 = 2, mode: UInt32 = 0o644, group: UInt32 = 0
    ) throws -> WireQid {
        var fields = try send(Message(.lcreate).word(fid).string(name).word(flags).word(mode).word(group))
        return try fields.qid()
    }

    /// An open fid of a new file in a directory.
    public func create(_ name: String, in directory: UInt32 = root, flags: UInt32 = 2, mode: UInt32 = 0o644) throws -> UInt32 {
        let fid = newFid()
        _ = try walk(directory, fid, [])
        do { try lcreate(fid, Array(name.utf8), flags: flags, mode: mode) } catch {
            try clunk(fid)
            throw error
        }
        return fid
    }

    public func read(_ fid: UInt32, at offset: UInt64, _ count: UInt32) throws -> [UInt8] {
        var fields = try send(Message(.read).word(fid).long(offset).word(count))
        let size = try fields.word()
        let bytes = try fields.raw(Int(size))
        try done(fields)
        return bytes
    }

    @discardableResult
    public func write(_ fid: UInt32, at offset: UInt64, _ bytes: [UInt8]) throws -> Int {
        var fields = try send(Message(.write).word(fid).long(offset).word(UInt32(bytes.count)).raw(bytes))
        return Int(try fields.word())
    }

    public func clunk(_ fid: UInt32) throws { try done(send(Message(.clunk).word(fid))) }
    public func remove(_ fid: UInt32) throws { try done(send(Message(.remove).word(fid))) }

    public func fsync(_ fid: UInt32, dataOnly: Bool = false) throws {
        try done(send(Message(.fsync).word(fid).word(dataOnly ? 1 : 0)))
    }

    public func readlink(_ fid: UInt32) throws -> [UInt8] {
        var fields = try send(Message(.readlink).word(fid))
        return try fields.string()
    }

    public func mkdir(_ fid: UInt32, _ name: String, mode: UInt32 = 0o755, group: UInt32 = 0) throws {
        var fields = try send(Message(.mkdir).word(fid).string(name).word(mode).word(group))
        _ = try fields.qid()
    }

    public func symlink(_ fid: UInt32, _ name: String, to target: String, group: UInt32 = 0) throws {
        var fields = try send(Message(.symlink).word(fid).string(name).string(target).word(group))
        guard try fields.qid().type == 2 else { throw BadReply(what: "qid of a link") }
    }

    public func mknod(
        _ fid: UInt32, _ name: String, mode: UInt32, major: UInt32 = 0, minor: UInt32 = 0, group: UInt32 = 0
    ) throws {
        var fields = try send(Message(.mknod).word(fid).string(name).word(mode).word(major).word(minor).word(group))
        _ = try fields.qid()
    }

    public func link(_ directory: UInt32, _ fid: UInt32, _ name: String) throws {
        try done(send(Message(.link).word(directory).word(fid).string(name)))
    }

    public func rename(_ fid: UInt32, _ directory: UInt32, _ name: String) throws {
        try done(send(Message(.rename).word(fid).word(directory).string(name)))
    }

    public func renameat(_ from: UInt32, _ old: String, _ to: UInt32, _ new: String) throws {
        try done(send(Message(.renameat).word(from).string(old).word(to).string(new)))
    }

    public func unlinkat(_ fid: UInt32, _ name: String, flags: UInt32 = 0) throws {
        try done(send(Message(.unlinkat).word(fid).string(name).word(flags)))
    }

    public func flush(_ tag: UInt16) throws { try done(send(Message(.flush, tag: 99).short(tag))) }
}
