import LinuxSystem
import NineP
import TestSupport

/// 9P messages without a device around them: bytes as they come, and sessions that mean something.
enum MessageTargets {
    /// One message after the other, of bytes that nobody has put in order.
    static let messages = FuzzTarget("9p-messages", maximumLength: 4096) { input in
        let shared = try SharedDirectory()
        let client = SessionClient(try shared.server(&input))
        client.begin()
        while !input.isEmpty {
            let count = 7 + input.below(60)
            var message = input.take(count)
            // A size that is right lets the rest be looked at.
            if message.count >= 7, !input.once(in: 8) { message.put(UInt32(message.count), at: 0) }
            client.send(message, room: input.pick([8192, 4096, 11, 10, 0]))
        }
        client.checkThatItWorks()
        shared.checkOutside()
    }

    /// A client that makes, opens, reads and removes files, in any order, moves to another server now and then, and is cut off.
    static let sessions = FuzzTarget("9p-sessions", maximumLength: 2048) { input in
        let shared = try SharedDirectory()
        let server = try shared.server(&input)
        let client = SessionClient(server)
        client.begin()
        while !input.isEmpty {
            switch input.below(24) {
            case 0: client.session.reset()
                require(client.session.fidCount == 0, "fids after a reset")
                client.begin()
            case 1: client.move(&input)
            case 2, 3, 4: for message in MessageGenerator.opening(&input) { client.send(message) }
            default: client.send(MessageGenerator.request(&input), room: input.once(in: 16) ? input.below(40) : 8192)
            }
            require(client.session.fidCount <= 64, "\(client.session.fidCount) fids, 64 are allowed")
            require(server.descriptorsInUse <= 256, "\(server.descriptorsInUse) descriptors, 256 are allowed")
        }
        client.checkThatItWorks()
        client.session.reset()
        require(client.session.fidCount == 0, "fids after a reset")
        shared.checkOutside()
    }
}

/// A client in the process, whose replies are checked for what every reply has.
final class SessionClient {
    private let server: NinePServer
    private(set) var session: NinePSession
    private var worker: NinePWorker
    private static let messageSize: UInt32 = 8192

    init(_ server: NinePServer) {
        self.server = server
        session = server.makeSession()
        worker = NinePWorker(session: session, vectorCapacity: 16)
    }

    /// Tversion and Tattach of fid 0.
    func begin() {
        send(MessageGenerator.versionRequest(Self.messageSize))
        send(MessageGenerator.attachRequest(fid: 0))
    }

    /// The reply, checked.
    @discardableResult
    func send(_ message: [UInt8], room: Int = 8192) -> [UInt8] {
        let buffers = FlatBuffers(message, room: room)
        guard let ticket = session.admit(buffers) else {
            require(message.count < 7 || room < 11, "a message with a header and room for a reply is not taken")
            return []
        }
        let count = worker.serve(ticket, buffers)
        session.finish(ticket)
        require(count <= room, "a reply of \(count) bytes in room for \(room)")
        let reply = Array(buffers.reply.prefix(count))
        guard !reply.isEmpty else { return [] }
        require(reply.count >= 7 && Int(reply.get(UInt32.self, at: 0)) == reply.count, "a reply that is not as long as it says")
        require(reply[5...6] == message[5...6], "a reply with another tag")
        require(reply[4] == 7 || reply[4] == message[4] &+ 1, "message \(message[4]) is answered by \(reply[4])")
        if reply[4] == 7 { require(reply.count == 11, "an Rlerror of \(reply.count) bytes") }
        return reply
    }

    /// What is saved can be read, and is restored by the same server, whole or damaged.
    func move(_ input: inout FuzzInput) {
        let saved = session.saved()
        guard let read = try? SavedSession(encoded: saved.encoded) else { violation("a saved session cannot be read") }
        require(read == saved, "a saved session is not read as it was written")
        var bytes = saved.encoded
        if input.once(in: 3) { ByteMutation.mutate(&bytes, &input) }
        guard let state = try? SavedSession(encoded: bytes) else { return }
        session.reset()
        session = server.restore(state)
        worker = NinePWorker(session: session, vectorCapacity: 16)
    }

    func checkThatItWorks() {
        begin()
        let reply = send(MessageGenerator.getattrRequest(fid: 0))
        require(reply.count > 4 && reply[4] == MessageGenerator.getattr + 1, "Tgetattr of a new client's root is answered by \(reply)")
    }
}

/// A request and the room for its reply, each in one piece, and each as long as it says: whoever goes past the end is noticed.
private final class FlatBuffers: MessageBuffers {
    private let request: UnsafeMutableRawBufferPointer
    let reply: UnsafeMutableRawBufferPointer

    init(_ message: [UInt8], room: Int) {
        request = .allocate(byteCount: message.count, alignment: 1)
        request.copyBytes(from: message)
        reply = .allocate(byteCount: room, alignment: 1)
    }

    deinit {
        request.deallocate()
        reply.deallocate()
    }

    var requestCount: Int { request.count }
    var replyCapacity: Int { reply.count }

    func copyRequest(at offset: Int, into bytes: UnsafeMutableRawBufferPointer) -> Int {
        let part = Self.part(request, offset, bytes.count)
        bytes.copyBytes(from: part)
        return part.count
    }

    func copyReply(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> Int {
        let part = Self.part(reply, offset, bytes.count)
        part.copyBytes(from: UnsafeRawBufferPointer(rebasing: bytes[..<part.count]))
        return part.count
    }

    func gatherRequest(from offset: Int, count: Int, into vectors: inout IOVectorList) -> Bool {
        Self.gather(Self.part(request, offset, count), count, &vectors)
    }

    func gatherReply(from offset: Int, count: Int, into vectors: inout IOVectorList) -> Bool {
        Self.gather(Self.part(reply, offset, count), count, &vectors)
    }

    private static func gather(_ part: UnsafeMutableRawBufferPointer, _ count: Int, _ vectors: inout IOVectorList) -> Bool {
        guard part.count == count else { return false }
        guard let base = part.baseAddress, count > 0 else { return true }
        return vectors.append(base, count: count)
    }

    private static func part(_ area: UnsafeMutableRawBufferPointer, _ offset: Int, _ count: Int) -> UnsafeMutableRawBufferPointer {
        let start = min(offset, area.count)
        return UnsafeMutableRawBufferPointer(rebasing: area[start..<(start + min(count, area.count - start))])
    }
}
