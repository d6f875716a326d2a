import Glibc
import LinuxSystem
import NineP
import NinePSupport
import Synchronization
import TestSupport
import Testing

// Types: 0 shared, 1 exclusive, 2 unlock. Replies: 0 success, 1 blocked, 2 error.
@Suite("Byte-range locks")
struct LockTests {
    private let tree = Tree()

    @Test("two clients stand in each other's way, byte by byte, and nobody waits")
    func twoSessions() throws {
        try tree.file(tree.inside("file"))
        let server = try tree.server()
        let (first, second) = (try Client(server), try Client(server))
        let (a, b) = (try first.open("file", 2), try second.open("file", 2))
        #expect(try first.lock(a, 1, start: 0, length: 10) == 0)
        #expect(try second.lock(b, 1, start: 5, length: 1) == 1)
        #expect(try second.lock(b, 1, start: 5, length: 1, flags: 1) == 1)
        #expect(try second.lock(b, 0, start: 9, length: 100) == 1)
        #expect(try second.lock(b, 1, start: 10, length: 0) == 0)
        let conflict = try second.getlock(b, 2, start: 0, length: 0)
        #expect(conflict == (1, 0, 10))
        #expect(try second.getlock(b, 1, start: 10, length: 5).type == 2)
        #expect(try first.lock(a, 2, start: 5, length: 1) == 0)
        #expect(try second.lock(b, 1, start: 5, length: 1) == 0)
        #expect(try first.lock(a, 0, start: 5, length: 1) == 1)
    }

    @Test("a request that may wait gets the lock when it is given up soon, and an answer in any case")
    func waiting() throws {
        try tree.file(tree.inside("file"))
        var options = NinePOptions()
        options.lockWaiters = 1
        let server = try tree.server(options: options)
        let (first, second) = (try Client(server), try Client(server))
        let (a, b) = (try first.open("file", 2), try second.open("file", 2))
        #expect(try first.lock(a, 1) == 0)
        // Without the flag at once, with it after half a second.
        #expect(try second.lock(b, 1, flags: 0) == 1)
        let start = Clock.monotonicNanoseconds()
        #expect(try second.lock(b, 1, flags: 1) == 1)
        #expect(Clock.monotonicNanoseconds() - start >= 500_000_000)
        // Here the other gives it up meanwhile: as often as it takes for the request to be waiting then.
        let done = Gate()
        let result = Mutex<UInt8?>(nil)
        _ = try LinuxSystem.Thread(name: "waiter") {
            var answer: UInt8?
            repeat { answer = try? second.lock(b, 1, flags: 1) } while answer == 1
            result.withLock { $0 = answer }
            done.open()
        }
        #expect(try first.lock(a, 2) == 0)
        done.wait()
        #expect(result.withLock { $0 } == 0)
        #expect(try first.lock(a, 1) == 1)
    }

    @Test("when the transport wants to stop, nobody waits for a lock any more")
    func stopping() throws {
        try tree.file(tree.inside("file"))
        var options = NinePOptions()
        options.lockWaiters = 1
        let server = try tree.server(options: options)
        let (first, second) = (try Client(server), try Client(server))
        let (a, b) = (try first.open("file", 2), try second.open("file", 2))
        #expect(try first.lock(a, 1) == 0)
        // Each of them would take half a second.
        second.session.isPatient = false
        let start = Clock.monotonicNanoseconds()
        for _ in 0..<100 { #expect(try second.lock(b, 1, flags: 1) == 1) }
        #expect(Clock.monotonicNanoseconds() - start < 50_000_000_000)
        // One that waits already is answered, with or without the lock's being given up; again and again, so that some do wait.
        for _ in 0..<20 {
            second.session.isPatient = true
            let (started, done) = (Gate(), Gate())
            let result = Mutex<UInt8?>(nil)
            _ = try LinuxSystem.Thread(name: "waiter") {
                started.open()
                let answer = try? second.lock(b, 1, flags: 1)
                result.withLock { $0 = answer }
                done.open()
            }
            started.wait()
            second.session.isPatient = false
            done.wait()
            #expect(result.withLock { $0 } == 1)
        }
        #expect(Clock.monotonicNanoseconds() - start < 55_000_000_000)
        #expect(try first.lock(a, 2) == 0)
        #expect(try second.lock(b, 1, flags: 1) == 0)
    }

    @Test("a process does not stand in its own way, nor do processes of one client undo each other's locks")
    func owners() throws {
        try tree.file(tree.inside("file"))
        let server = try tree.server()
        let (client, other) = (try Client(server), try Client(server))
        let (a, b) = (try client.open("file", 2), try client.open("file", 2))
        let probe = try other.open("file", 2)
        // One process, the file open twice.
        #expect(try client.lock(a, 0, process: 1) == 0)
        #expect(try client.lock(b, 1, process: 1) == 0)
        #expect(try other.lock(probe, 0) == 1)
        // A child closes the file it inherited: Linux asks to unlock all, in the child's name.
        #expect(try client.lock(a, 2, process: 2) == 0)
        #expect(try other.lock(probe, 0) == 1)
        // Two processes share a range; one gives it up.
        #expect(try client.lock(a, 0, process: 1) == 0)
        #expect(try client.lock(a, 0, process: 2) == 0)
        #expect(try client.lock(a, 2, process: 2) == 0)
        #expect(try other.lock(probe, 1) == 1)
        #expect(try client.lock(a, 2, process: 1) == 0)
        #expect(try other.lock(probe, 1) == 0)
    }

    @Test("another process may give up a flock(2) that came through the same open file")
    func flock() throws {
        try tree.file(tree.inside("file"))
        let server = try tree.server()
        let (client, other) = (try Client(server), try Client(server))
        let (a, probe) = (try client.open("file", 2), try other.open("file", 2))
        #expect(try client.lock(a, 1, process: 1, flags: 1) == 0)
        #expect(try client.lock(a, 2, process: 2, flags: 1) == 0)
        #expect(try other.lock(probe, 1) == 0)
    }

    @Test("locks end with the last fid they came through, with the session, and with a removed share")
    func ends() throws {
        try tree.file(tree.inside("file"))
        let server = try NinePServer()
        let share = Share(name: "s", path: tree.share, ownership: .passthrough)
        try server.add(share)
        let other = try Client(tree.server())
        let probe = try other.open("file", 2)
        let client = try Client(server, attach: "s")
        let (a, b) = (try client.open("file", 2), try client.open("file", 2))
        #expect(try client.lock(a, 1, start: 0, length: 1) == 0)
        #expect(try client.lock(b, 1, start: 5, length: 1) == 0)
        try client.clunk(a)
        #expect(try other.lock(probe, 1) == 1)
        try client.clunk(b)
        #expect(try other.lock(probe, 1) == 0)
        #expect(try other.lock(probe, 2) == 0)

        let c = try client.open("file", 2)
        #expect(try client.lock(c, 1) == 0)
        client.session.reset()
        #expect(try other.lock(probe, 1) == 0)
        #expect(try other.lock(probe, 2) == 0)

        let again = try Client(server, attach: "s")
        let d = try again.open("file", 2)
        #expect(try again.lock(d, 1) == 0)
        server.remove("s")
        #expect(try other.lock(probe, 1) == 0)
        #expect(server.descriptorsInUse == 0)
    }

    @Test("flock(2) locks exclusively through a file that is open for reading")
    func exclusiveThroughReader() throws {
        try tree.file(tree.inside("file"))
        let (client, other) = (try Client(tree.server()), try Client(tree.server()))
        let reader = try client.open("file", 0)
        #expect(try client.lock(reader, 1) == 0)
        let probe = try other.open("file", 2)
        #expect(try other.lock(probe, 0) == 1)
        try client.clunk(reader)
        #expect(try other.lock(probe, 1) == 0)
    }

    @Test("a lock needs a file open for what it protects")
    func modes() throws {
        try tree.file(tree.inside("file"))
        let client = try Client(tree.server())
        let (reader, both) = (try client.open("file", 0), try client.open("file", 2))
        // Shared locks want a file that can be read, on read-only shares exclusive ones one that can be written to.
        let readOnly = try Client(tree.server(readOnly: true))
        #expect(throws: Refused(EBADF)) { try readOnly.lock(try readOnly.open("file", 0), 1) }
        #expect(try client.lock(reader, 0, start: 0, length: 5) == 0)
        // The same process, now for writing: what it holds stays held.
        #expect(try client.lock(both, 1, start: 2, length: 1) == 0)
        let other = try Client(tree.server())
        let probe = try other.open("file", 2)
        #expect(try other.lock(probe, 1, start: 0, length: 1) == 1)
        #expect(try other.lock(probe, 0, start: 0, length: 1) == 0)
        #expect(try other.lock(probe, 0, start: 2, length: 1) == 1)
        let directory = try client.open("", 0)
        #expect(throws: Refused(EINVAL)) { try client.lock(directory, 0) }
        #expect(throws: Refused(ENAMETOOLONG)) { try client.lock(both, 0, client: String(repeating: "c", count: 256)) }
    }

    @Test("ranges split, join and end as the kernel's do", arguments: 1...20 as ClosedRange<UInt64>)
    func model(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        try tree.file(tree.inside("file"))
        let server = try tree.server()
        let clients = try (0..<2).map { _ in try Client(server) }
        let fids = try clients.map { try $0.open("file", 2) }
        // held[client][byte]: 0 nothing, 1 shared, 2 exclusive
        var held = [[Int]](repeating: [Int](repeating: 0, count: 12), count: 2)
        for step in 0..<300 {
            let me = random.below(2)
            let first = random.below(12)
            let length = 1 + random.below(12 - first)
            let range = first..<(first + length)
            let type = random.below(3)
            let others = held[1 - me][range]
            let conflict = type == 0 ? others.contains(2) : type == 1 ? others.contains { $0 > 0 } : false
            let status = try clients[me].lock(fids[me], UInt8(type), start: UInt64(first), length: UInt64(length))
            #expect(status == (conflict ? 1 : 0), "seed \(seed), step \(step)")
            if !conflict { for byte in range { held[me][byte] = type == 2 ? 0 : type + 1 } }
        }
    }
}
