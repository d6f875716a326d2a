import LinuxSystem
import NineP

/// A 9P client in the server's own process that sends what Linux sends for a call, and allocates nothing while it does.
final class ServerClient {
    private let session: NinePSession
    private let worker: NinePWorker
    private let buffers = FlatBuffers()
    private let root: UInt32 = 0
    private let lookedUp: UInt32 = 1
    private let made: UInt32 = 2
    private let opened: UInt32 = 3

    /// Requests (type, T-message of 9P2000.L) that are used here.
    private enum Request: UInt8 {
        case lopen = 12, lcreate = 14, getattr = 24, unlinkat = 76, version = 100, attach = 104, walk = 110, read = 116, write = 118
        case clunk = 120
    }

    init(_ path: String) throws {
        let server = try NinePServer(share: Share(name: "bench", path: path, ownership: .passthrough))
        session = server.makeSession()
        worker = NinePWorker(session: session, vectorCapacity: 128)
        try send(.version) {
            $0.put(UInt32(512_000))
            $0.put("9P2000.L")
        }
        try send(.attach) {
            $0.put(root)
            $0.put(UInt32.max)
            $0.put("")
            $0.put("")
            $0.put(UInt32(0))
        }
    }

    /// Sends one message and takes the reply, which must be no error unless `refused` says so.
    private func send(_ type: Request, refused: Bool = false, _ body: (FlatBuffers) -> Void) throws {
        buffers.begin(type.rawValue)
        body(buffers)
        buffers.end()
        guard let ticket = session.admit(buffers) else { throw BenchmarkError("\(type): not taken for a message") }
        _ = worker.serve(ticket, buffers)
        session.finish(ticket)
        guard buffers.replyType == (refused ? 7 : type.rawValue + 1) else {
            throw BenchmarkError("\(type): answered with type \(buffers.replyType)")
        }
    }

    private func walk(_ fid: UInt32, _ new: UInt32, _ name: StaticString?, refused: Bool = false) throws {
        try send(.walk, refused: refused) {
            $0.put(fid)
            $0.put(new)
            $0.put(UInt16(name == nil ? 0 : 1))
            if let name { $0.put(name) }
        }
    }

    private func getattr(_ fid: UInt32) throws {
        try send(.getattr) {
            $0.put(fid)
            $0.put(UInt64(0x7FF))  // P9_STATS_BASIC
        }
    }

    private func clunk(_ fid: UInt32) throws {
        try send(.clunk) { $0.put(fid) }
    }

    private func create(_ name: StaticString) throws {
        try walk(root, made, nil)
        try send(.lcreate) {
            $0.put(made)
            $0.put(name)
            $0.put(UInt32(0o301))  // O_WRONLY | O_CREAT | O_EXCL
            $0.put(UInt32(0o100644))
            $0.put(UInt32(0))
        }
    }

    private func unlink(_ name: StaticString) throws {
        try send(.unlinkat) {
            $0.put(root)
            $0.put(name)
            $0.put(UInt32(0))
        }
    }

    /// As Linux creates, closes and unlinks a file without a cache: 8 messages.
    func createAndUnlink() throws {
        try walk(root, lookedUp, "file", refused: true)
        try create("file")
        try walk(root, lookedUp, "file")
        try getattr(lookedUp)
        try clunk(made)
        try unlink("file")
        try clunk(lookedUp)
    }

    /// As Linux looks at a file that it does not know yet: 3 messages.
    func stat() throws {
        try walk(root, lookedUp, "data")
        try getattr(lookedUp)
        try clunk(lookedUp)
    }

    func getattr() throws {
        try getattr(root)
    }

    func make(_ name: StaticString, size: Int) throws {
        try create(name)
        let chunk = 256 << 10
        for offset in stride(from: 0, to: size, by: chunk) {
            try send(.write) {
                $0.put(made)
                $0.put(UInt64(offset))
                $0.put(UInt32(chunk))
                $0.put(zeros: chunk)
            }
        }
        try clunk(made)
    }

    func open(_ name: StaticString) throws {
        try walk(root, opened, name)
        try send(.lopen) {
            $0.put(opened)
            $0.put(UInt32(0))
        }
    }

    func read(_ count: Int) throws {
        try send(.read) {
            $0.put(opened)
            $0.put(UInt64(0))
            $0.put(UInt32(count))
        }
        guard buffers.replySize == count + 11 else { throw BenchmarkError("a read was short") }
    }

    func removeData() throws {
        try clunk(opened)
        try unlink("data")
    }
}

/// One area for requests and one for replies, used again and again.
private final class FlatBuffers: MessageBuffers {
    private let request = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
    private let reply = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
    private(set) var requestCount = 0
    var replyCapacity: Int { reply.count }

    deinit {
        request.deallocate()
        reply.deallocate()
    }

    /// size[4] type[1] tag[2]
    func begin(_ type: UInt8) {
        requestCount = 4
        put(type)
        put(UInt16(1))
    }

    func end() { request.storeBytes(of: UInt32(requestCount), as: UInt32.self) }

    var replySize: Int { Int(reply.loadUnaligned(as: UInt32.self)) }
    var replyType: UInt8 { reply[4] }

    func put(_ value: some FixedWidthInteger & BitwiseCopyable) {
        request.storeBytes(of: value.littleEndian, toByteOffset: requestCount, as: type(of: value))
        requestCount += value.bitWidth / 8
    }

    func put(_ string: StaticString) {
        put(UInt16(string.utf8CodeUnitCount))
        let bytes = UnsafeRawBufferPointer(start: string.utf8Start, count: string.utf8CodeUnitCount)
        UnsafeMutableRawBufferPointer(rebasing: request[requestCount...]).copyMemory(from: bytes)
        requestCount += bytes.count
    }

    func put(zeros count: Int) {
        UnsafeMutableRawBufferPointer(rebasing: request[requestCount..<(requestCount + count)])
            .initializeMemory(as: UInt8.self, repeating: 0)
        requestCount += count
    }

    func copyRequest(at offset: Int, into bytes: UnsafeMutableRawBufferPointer) -> Int {
        let count = max(min(bytes.count, requestCount - offset), 0)
        bytes.copyMemory(from: UnsafeRawBufferPointer(rebasing: request[offset..<(offset + count)]))
        return count
    }

    func copyReply(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> Int {
        let count = max(min(bytes.count, reply.count - offset), 0)
        UnsafeMutableRawBufferPointer(rebasing: reply[offset...])
            .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[..<count]))
        return count
    }

    func gatherRequest(from offset: Int, count: Int, into vectors: inout IOVectorList) -> Bool {
        guard count <= requestCount - offset, let base = request.baseAddress else { return false }
        return count == 0 || vectors.append(base + offset, count: count)
    }

    func gatherReply(from offset: Int, count: Int, into vectors: inout IOVectorList) -> Bool {
        guard count <= reply.count - offset, let base = reply.baseAddress else { return false }
        return count == 0 || vectors.append(base + offset, count: count)
    }
}
