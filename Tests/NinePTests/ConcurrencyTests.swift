import CLinux
import Glibc
import LinuxSystem
import NineP
import NinePSupport
import Synchronization
import TestSupport
import Testing

/// Runs `body` on some threads at once and waits for all of them.
private func onThreads(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) throws {
    let gates = (0..<count).map { _ in Gate() }
    for (index, gate) in gates.enumerated() {
        _ = try LinuxSystem.Thread(name: "test-\(index)") {
            body(index)
            gate.open()
        }
    }
    for gate in gates { gate.wait() }
}

@Suite("Requests served at the same time")
struct ConcurrencyTests {
    private let tree = Tree()

    /// Puts a request into a session's hands, to be served later.
    private func admit(_ session: NinePSession, _ message: Message) throws -> (NinePTicket, MemoryBuffers) {
        let buffers = MemoryBuffers(message.finished, replyCapacity: 8192)
        return (try #require(session.admit(buffers)), buffers)
    }

    @Test("Rflush waits until the request has been answered, and no other request does")
    func flush() throws {
        let client = try Client(tree.server())
        let session = client.session
        let (slow, _) = try admit(session, Message(.statfs, tag: 5).word(0))
        let (flush, flushBuffers) = try admit(session, Message(.flush, tag: 6).short(5))
        // The flush of a flush, and of a request that came later, and of none: nobody waits in a circle.
        let (second, secondBuffers) = try admit(session, Message(.flush, tag: 7).short(6))
        let (later, laterBuffers) = try admit(session, Message(.flush, tag: 8).short(9))
        let finished = Mutex<[Int]>([])
        let gate = Gate()
        let boxes = [(flush, flushBuffers), (second, secondBuffers)].map(Box.init)
        let done = (0..<2).map { _ in Gate() }
        for (index, box) in boxes.enumerated() {
            let end = done[index]
            _ = try LinuxSystem.Thread(name: "flush") {
                let worker = NinePWorker(session: session, vectorCapacity: 1)
                gate.wait()
                let size = worker.serve(box.ticket, box.buffers)
                finished.withLock { $0.append(size) }
                session.finish(box.ticket)
                end.open()
            }
        }
        gate.open()
        #expect(client.worker.serve(later, laterBuffers) == 7)
        session.finish(later)
        #expect(try client.getattr(0).qid.type == 0x80)
        usleep(20_000)
        #expect(finished.withLock { $0.isEmpty })
        session.finish(slow)
        for gate in done { gate.wait() }
        #expect(finished.withLock { $0 } == [7, 7])
        withExtendedLifetime(boxes) {}
    }

    @Test("many threads on one session and one set of names end in a sound state")
    func threads() throws {
        let server = try tree.server()
        let client = try Client(server)
        mkdir(tree.inside("a"), 0o755)
        mkdir(tree.inside("b"), 0o755)
        let session = client.session
        try onThreads(4) { index in
            var random = SplitMix64(seed: UInt64(index))
            let worker = NinePWorker(session: session, vectorCapacity: 64)
            func send(_ message: Message) {
                let buffers = MemoryBuffers(message.finished, replyCapacity: 8192)
                guard let ticket = session.admit(buffers) else { return }
                #expect(worker.serve(ticket, buffers) >= 7)
                session.finish(ticket)
            }
            for _ in 0..<1500 {
                // All threads use the same few fids and names.
                let fid = UInt32(1 + random.below(6))
                let name = random.pick(["a", "b", "x", "y"])
                if random.below(60) == 0 {
                    send(Message(.version).word(8192).string("9P2000.L"))
                    send(Message(.attach).word(0).word(~0).string("").string("").word(0))
                }
                switch random.below(13) {
                case 0, 1, 2:
                    send(Message(.walk).word(0).word(fid).short(2).string(random.pick(["a", "b"])).string(name))
                case 3: send(Message(.walk).word(0).word(fid).short(1).string(random.pick(["a", "b"])))
                case 4: send(Message(.lcreate).word(fid).string(name).word(2).word(0o600).word(0))
                case 5: send(Message(.lopen).word(fid).word(2))
                case 6: send(Message(.write).word(fid).long(0).word(4).raw([1, 2, 3, 4]))
                case 7: send(Message(.read).word(fid).long(0).word(100))
                case 8: send(Message(.renameat).word(0).string("a").word(0).string("c"))
                    send(Message(.renameat).word(0).string("c").word(0).string("a"))
                case 9:
                    send(Message(.lock).word(fid).byte(UInt8(random.below(3))).word(0).long(0).long(5)
                        .word(UInt32(index)).string("c"))
                case 10: send(Message(.remove).word(fid))
                case 11: send(Message(.flush, tag: 2).short(UInt16(random.below(3))))
                default: send(Message(.clunk).word(fid))
                }
            }
        }
        session.reset()
        #expect(server.descriptorsInUse == 0)
        #expect(session.fidCount == 0)
        #expect(try client.version(8192) == 8192)
    }

    @Test("shares come and go under threads that use them")
    func shares() throws {
        let server = try NinePServer()
        try tree.file(tree.inside("file"), "x".raw)
        let share = Share(name: "s", path: tree.share, ownership: .passthrough)
        let stop = StopFlag()
        let finished = Gate()
        _ = try LinuxSystem.Thread(name: "shares") {
            while !stop.isSet {
                try? server.add(share)
                server.remove("s")
            }
            finished.open()
        }
        try onThreads(2) { _ in
            guard let client = try? Client(server) else { return }
            for _ in 0..<1000 {
                guard let fid = try? client.open("s/file", 2) else { continue }
                _ = try? client.lock(fid, 0)
                _ = try? client.read(fid, at: 0, 1)
                #expect(throws: Never.self) { try client.clunk(fid) }
            }
            // Places that were being opened when their share went.
            client.session.reset()
        }
        stop.set()
        finished.wait()
        server.remove("s")
        #expect(server.descriptorsInUse == 0)
    }
}

private final class Box: @unchecked Sendable {
    // Handed over to one thread.
    let ticket: NinePTicket
    let buffers: MemoryBuffers

    init(_ request: (NinePTicket, MemoryBuffers)) {
        (ticket, buffers) = request
    }
}
