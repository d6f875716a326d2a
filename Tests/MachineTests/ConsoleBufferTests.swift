import LinuxSystem
@testable import Machine
import Synchronization
import TestSupport
import Testing

@Suite("Console buffer")
struct ConsoleBufferTests {
    private let buffer = ConsoleBuffer()

    private func append(_ text: String) { for byte in text.utf8 { buffer.append(byte) } }

    @Test("bytes come out in order, at most as many as asked for")
    func order() {
        append("hello")
        #expect(buffer.take(limit: 2) == Array("he".utf8))
        append("!")
        #expect(buffer.take(limit: 100) == Array("llo!".utf8))
    }

    @Test("it holds its capacity and no more, and the newest bytes win")
    func bounded() {
        let total = ConsoleBuffer.capacity + 1000
        for index in 0..<total { buffer.append(UInt8(truncatingIfNeeded: index / 7)) }
        #expect(buffer.lostCount == 1000)
        buffer.close(waitingFor: 0)
        var bytes: [UInt8] = []
        while let part = buffer.take(limit: 4096) { bytes += part }
        #expect(bytes.count == ConsoleBuffer.capacity)
        #expect((0..<bytes.count).allSatisfy { bytes[$0] == UInt8(truncatingIfNeeded: ($0 + 1000) / 7) })
    }

    @Test("many bytes at once do what they do one by one", arguments: 1...4 as ClosedRange<UInt64>)
    func bulk(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let other = ConsoleBuffer()
        for round in 0..<60 {
            let limit = random.pick([10, 5000, ConsoleBuffer.capacity / 3, ConsoleBuffer.capacity + 100])
            let bytes = random.bytes(8)
            let chunk = (0..<random.below(limit)).map { bytes[$0 % 8] &+ UInt8(truncatingIfNeeded: $0) }
            chunk.withUnsafeBytes { buffer.append($0) }
            for byte in chunk { other.append(byte) }
            #expect(buffer.lostCount == other.lostCount, "seed \(seed), round \(round)")
            guard random.below(2) == 0, !chunk.isEmpty else { continue }
            let count = 1 + random.below(8192)
            #expect(buffer.take(limit: count) == other.take(limit: count), "seed \(seed), round \(round)")
        }
        for console in [buffer, other] { console.close(waitingFor: 0) }
        var rest = (buffer.take(limit: .max), other.take(limit: .max))
        while rest.0 != nil || rest.1 != nil {
            #expect(rest.0 == rest.1, "seed \(seed)")
            rest = (buffer.take(limit: .max), other.take(limit: .max))
        }
    }

    @Test("random appending and taking loses nothing while there is room")
    func model() {
        var random = SplitMix64(seed: 1)
        var expected: [UInt8] = []
        for _ in 0..<2000 {
            for _ in 0..<random.below(3000) {
                let byte = UInt8(truncatingIfNeeded: random.next())
                expected.append(byte)
                buffer.append(byte)
            }
            while expected.count > (1 << 19) || (!expected.isEmpty && random.below(3) > 0) {
                guard let part = buffer.take(limit: 1 + random.below(8000)) else { break }
                guard part == Array(expected.prefix(part.count)) else {
                    Issue.record("other bytes than were appended")
                    return
                }
                expected.removeFirst(part.count)
            }
        }
        #expect(buffer.lostCount == 0)
    }

    /// Bytes that one thread adds to and another looks at.
    private final class SharedBytes: Sendable {
        private let storage = Mutex<[UInt8]>([])
        func append(_ bytes: [UInt8]) { storage.withLock { $0 += bytes } }
        var all: [UInt8] { storage.withLock { $0 } }
    }

    @Test("closing waits until the writer has written all, and ends it")
    func close() throws {
        append("last words")
        let (buffer, written, ended) = (buffer, SharedBytes(), Gate())
        _ = try Thread(name: "writer") {
            while let part = buffer.take(limit: 3) { written.append(part) }
            ended.open()
        }
        buffer.close(waitingFor: 60_000_000_000)
        #expect(written.all == Array("last words".utf8))
        ended.wait()
        #expect(buffer.lostCount == 0)
    }

    @Test("closing gives up on a writer that does not come, and counts what is lost")
    func closeAlone() {
        append("nobody")
        buffer.close(waitingFor: 1)
        #expect(buffer.lostCount == 6)
    }

    @Test("closing an empty buffer does not wait")
    func closeEmpty() {
        buffer.close(waitingFor: .max / 2)
        #expect(buffer.take(limit: 1) == nil)
    }
}

@Suite("Console in a file")
struct ConsoleFileTests {
    @Test("a file takes as much as it may, and the rest goes nowhere", arguments: [(4, "abcd"), (9000, "abcdefgh"), (Int.max, "abcdefgh")])
    func limit(_ limit: Int, _ kept: String) throws {
        let directory = TemporaryDirectory()
        let path = directory.path + "/console"
        let console = try Console(.file(path), fileLimit: limit) { _ in }
        for byte in "abcdefgh".utf8 { console.print(byte) }
        #expect(console.close() == 0)
        #expect(String(decoding: contents(ofSmallFile: path) ?? [], as: UTF8.self) == kept)
    }
}
