import LinuxSystem

public struct Attributes: Equatable {
    public var valid: UInt64
    public var qid: WireQid
    public var mode, user, group: UInt32
    public var links, device, size, blockSize, blocks: UInt64
    public var accessed, modified, changed, created: FileTime
}

/// What Tsetattr changes.
public struct Change {
    public var valid, mode, user, group: UInt32
    public var size: UInt64
    public var accessed, modified: FileTime

    public init(
        valid: UInt32 = 0, mode: UInt32 = 0, user: UInt32 = 0, group: UInt32 = 0, size: UInt64 = 0,
        accessed: FileTime = FileTime(seconds: 0, nanoseconds: 0), modified: FileTime = FileTime(seconds: 0, nanoseconds: 0)
    ) {
        (self.valid, self.mode, self.user, self.group, self.size) = (valid, mode, user, group, size)
        (self.accessed, self.modified) = (accessed, modified)
    }

    public static func mode(_ mode: UInt32) -> Change { Change(valid: 1, mode: mode) }
    public static func owner(_ user: UInt32, _ group: UInt32) -> Change { Change(valid: 6, user: user, group: group) }
    public static func size(_ size: UInt64) -> Change { Change(valid: 8, size: size) }
    public static func times(_ accessed: FileTime, _ modified: FileTime) -> Change {
        Change(valid: 0x1B0, accessed: accessed, modified: modified)
    }
}

public struct Entry: Equatable {
    public let qid: WireQid
    public let offset: UInt64
    public let type: UInt8
    public let name: [UInt8]
}

extension Client {
    public func getattr(_ fid: UInt32, mask: UInt64 = 0x3FFF) throws -> Attributes {
        var fields = try send(Message(.getattr).word(fid).long(mask))
        func time() throws -> FileTime {
            FileTime(seconds: Int64(bitPattern: try fields.long()), nanoseconds: UInt32(try fields.long()))
        }
        let attributes = Attributes(
            valid: try fields.long(), qid: try fields.qid(), mode: try fields.word(), user: try fields.word(),
            group: try fields.word(), links: try fields.long(), device: try fields.long(), size: try fields.long(),
            blockSize: try fields.long(), blocks: try fields.long(), accessed: try time(), modified: try time(),
            changed: try time(), created: try time())
        _ = try fields.raw(16)
        guard fields.left == 0 else { throw BadReply(what: "Rgetattr") }
        return attributes
    }

    public func setattr(_ fid: UInt32, _ change: Change) throws {
        var message = Message(.setattr).word(fid).word(change.valid).word(change.mode).word(change.user)
            .word(change.group).long(change.size)
        for time in [change.accessed, change.modified] {
            message = message.long(UInt64(bitPattern: time.seconds)).long(UInt64(time.nanoseconds))
        }
        _ = try send(message)
    }

    public func readdir(_ fid: UInt32, from offset: UInt64 = 0, _ count: UInt32 = 1 << 20) throws -> [Entry] {
        var fields = try send(Message(.readdir).word(fid).long(offset).word(count))
        guard Int(try fields.word()) == fields.left else { throw BadReply(what: "Rreaddir") }
        var entries: [Entry] = []
        while fields.left > 0 {
            entries.append(Entry(qid: try fields.qid(), offset: try fields.long(), type: try fields.byte(),
                                 name: try fields.string()))
        }
        return entries
    }

    /// All entries, but for `.` and `..`.
    public func list(_ path: String = "", count: UInt32 = 1 << 20) throws -> [Entry] {
        let fid = try open(path, 0o200000)
        defer { try? clunk(fid) }
        var all: [Entry] = []
        while true {
            let part = try readdir(fid, from: all.last?.offset ?? 0, count)
            guard !part.isEmpty else { break }
            all += part
        }
        return all.filter { $0.name != [46] && $0.name != [46, 46] }
    }

    public func xattr(_ fid: UInt32, _ name: String) throws -> [UInt8] {
        let new = newFid()
        var fields = try send(Message(.xattrwalk).word(fid).word(new).string(name))
        let size = try fields.long()
        defer { try? clunk(new) }
        return try read(new, at: 0, UInt32(size))
    }

    public func xattrNames(_ fid: UInt32) throws -> Set<String> {
        Set(try xattr(fid, "").split(separator: 0).map { String(decoding: $0, as: UTF8.self) })
    }

    public func setXattr(_ fid: UInt32, _ name: String, _ value: [UInt8], flags: UInt32 = 0) throws {
        let new = newFid()
        _ = try walk(fid, new, [])
        do {
            _ = try send(Message(.xattrcreate).word(new).string(name).long(UInt64(value.count)).word(flags))
            if !value.isEmpty { try write(new, at: 0, value) }
        } catch {
            try? clunk(new)
            throw error
        }
        try clunk(new)
    }

    /// P9_LOCK_SUCCESS is 0, P9_LOCK_BLOCKED 1, P9_LOCK_ERROR 2.
    public func lock(
        _ fid: UInt32, _ type: UInt8, start: UInt64 = 0, length: UInt64 = 0, process: UInt32 = 1, flags: UInt32 = 0,
        client: String = "client"
    ) throws -> UInt8 {
        var fields = try send(Message(.lock).word(fid).byte(type).word(flags).long(start).long(length).word(process)
            .string(client))
        return try fields.byte()
    }

    /// The type, start and length of what is in the way; type 2 when nothing is.
    public func getlock(
        _ fid: UInt32, _ type: UInt8, start: UInt64 = 0, length: UInt64 = 0, process: UInt32 = 1
    ) throws -> (type: UInt8, start: UInt64, length: UInt64) {
        var fields = try send(Message(.getlock).word(fid).byte(type).long(start).long(length).word(process)
            .string("client"))
        return (try fields.byte(), try fields.long(), try fields.long())
    }
}
