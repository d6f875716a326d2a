@testable import ContainerMonitor
import ContainerProtocol
import ContainerRecords
import Glibc
import LinuxSystem
import Synchronization
import Testing
import TestSupport

@Suite("What a monitor writes down", .timeLimit(.minutes(2)))
struct RecordTests {
    let directory = TemporaryDirectory()

    private func log(_ limits: LogDescription = LogDescription()) throws -> OutputLog {
        OutputLog(RotatingFile(try ContainerDirectory(directory.path), "log", limits, note: { _ in }), time: { 1_768_000_000_000_000_042 })
    }

    private func lines(_ name: String = "log") -> [JSON?] {
        String(decoding: directory.contents(name) ?? [], as: UTF8.self).split(separator: "\n").map { JSON($0) }
    }

    private func texts(_ name: String = "log") -> [String?] { lines(name).map { $0?["log"]?.text } }

    @Test("output is an object a line, with stream and time, whatever the pieces in which it came", arguments: 1...7)
    func pieces(size: Int) throws {
        let log = try log()
        var rest = Array("one\ntwo \"quoted\" \\ \t\u{1}\n\nfür\nlast".utf8)[...]
        while !rest.isEmpty {
            rest.prefix(size).withUnsafeBytes { log.take($0, .output) }
            rest = rest.dropFirst(size)
        }
        #expect(texts() == ["one\n", "two \"quoted\" \\ \t\u{1}\n", "\n", "für\n"])
        log.finish()
        #expect(texts().last == "last")
        #expect(lines().allSatisfy { $0?["stream"]?.text == "stdout" && $0?["time"]?.text == "2026-01-09T23:06:40.000000042Z" })
    }

    @Test("both outputs keep their own lines")
    func twoOutputs() throws {
        let log = try log()
        for (text, kind) in [("a", OutputKind.output), ("b", .errors), ("c\n", .output), ("d\n", .errors)] {
            Array(text.utf8).withUnsafeBytes { log.take($0, kind) }
        }
        #expect(texts() == ["ac\n", "bd\n"])
        #expect(lines().map { $0?["stream"]?.text } == ["stdout", "stderr"])
    }

    @Test("long lines are cut at 16 KiB, but no character is; what is no text becomes U+FFFD")
    func longLines() throws {
        let log = try log()
        let long = "x" + String(repeating: "ü", count: 20_000) + "\n"
        Array(long.utf8).withUnsafeBytes { log.take($0, .output) }
        let found = texts().compactMap { $0 }
        #expect(found.joined() == long)
        #expect(found.count == 3 && found.dropLast().allSatisfy { !$0.hasSuffix("\n") && $0.utf8.count <= 16384 && !$0.contains("\u{FFFD}") })
        ([0xFF, 0x41, 0xC3, 0x0A] as [UInt8]).withUnsafeBytes { log.take($0, .output) }
        #expect(texts().last == "\u{FFFD}A\u{FFFD}\n")
        // No end of a line, ever: no more than a piece is kept.
        for _ in 0..<3 { [UInt8](repeating: 0xF0, count: 10_000).withUnsafeBytes { log.take($0, .errors) } }
        #expect(texts().allSatisfy { $0 != nil })
    }

    @Test("random bytes in random pieces are always valid JSON, and text is never changed", arguments: 0..<20)
    func random(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let log = try log(LogDescription(maximumSize: 50_000, maximumFiles: 100))
        var text = ""
        for _ in 0..<200 {
            let piece = String(String.UnicodeScalarView((0..<random.next() % 200).compactMap { _ in
                Unicode.Scalar(UInt32(truncatingIfNeeded: random.next() % (random.next() % 2 == 0 ? 128 : 0x11_0000)))
            }))
            text += piece
            Array(piece.utf8).withUnsafeBytes { log.take($0, .output) }
        }
        log.finish()
        let files = (1..<100).reversed().map { "log.\($0)" }.filter { directory.contents($0) != nil } + ["log"]
        let found = files.flatMap { texts($0) }
        #expect(found.allSatisfy { $0 != nil }, "seed \(seed)")
        #expect(found.compactMap { $0 }.joined().unicodeScalars.elementsEqual(text.unicodeScalars), "seed \(seed)")
    }

    @Test("a file that has grown to its limit gives way to the next; so many are kept", arguments: [
        (1, ["log"]), (2, ["log", "log.1"]), (3, ["log", "log.1", "log.2"]),
    ] as [(UInt8, [String])])
    func rotation(count: UInt8, names: [String]) throws {
        let log = try log(LogDescription(maximumSize: 1000, maximumFiles: count))
        for number in 0..<100 { Array("line \(number)\n".utf8).withUnsafeBytes { log.take($0, .output) } }
        #expect(texts().last == "line 99\n")
        let all = names.reversed().flatMap { texts($0) }
        let first = 100 - all.count
        #expect(all == (first..<100).map { "line \($0)\n" })
        for name in names { #expect((directory.contents(name) ?? []).count <= 1000) }
        #expect(directory.contents("log.\(count)") == nil)
        // A line that is longer than a file may be has one of its own.
        [UInt8](repeating: 65, count: 3000).withUnsafeBytes { log.take($0, .output) }
        log.finish()
        #expect(texts() == [String(repeating: "A", count: 3000)])
    }

    @Test("the next monitor goes on where the last one stopped; half a line that a kill left is removed")
    func goesOn() throws {
        let first = try log()
        Array("one\n".utf8).withUnsafeBytes { first.take($0, .output) }
        let whole = try #require(directory.contents("log"))
        _ = try directory.file("log", whole + Array(#"{"log":"tw"#.utf8))
        let second = try log()
        Array("three\n".utf8).withUnsafeBytes { second.take($0, .output) }
        #expect(texts() == ["one\n", "three\n"])
        _ = try directory.file("log", Array("garbage".utf8))
        let third = try log()
        Array("four\n".utf8).withUnsafeBytes { third.take($0, .output) }
        #expect(texts() == ["four\n"])
    }

    @Test("what cannot be written is said once, and again when it can be")
    func fullDisk() throws {
        let notes = Notes()
        let missing = directory.makeDirectory("gone")
        let folder = try ContainerDirectory(missing)
        rmdir(missing)
        let log = OutputLog(RotatingFile(folder, "log", LogDescription(), note: notes.add), time: { 0 })
        for _ in 0..<5 { Array("x\n".utf8).withUnsafeBytes { log.take($0, .output) } }
        #expect(notes.lines.count == 1 && notes.lines[0].contains("cannot be written"))
    }

    @Test("a status is replaced as a whole")
    func status() throws {
        let folder = try ContainerDirectory(directory.path)
        for text in ["first", "second, and longer", "3"] {
            try folder.replace("status", with: Array(text.utf8), isDurable: text == "3")
            #expect(directory.contents("status") == Array(text.utf8))
        }
        #expect(directory.contents("status.new") == nil)
    }

    @Test("events are lines of JSON, whatever names hold; others' lines stay")
    func events() throws {
        let path = try directory.file("events", Array("{}\n".utf8))
        let log = EventLog(path, identifier: "abc", name: "we\"b\n", image: "bü", time: { 1_768_000_000_000_000_042 }, note: { _ in })
        log.add("die", ["exitCode": "1", "error": "\u{0}"])
        log.name = "new"
        log.add("stop")
        let found = lines("events")
        #expect(found.count == 3)
        #expect(found[1] == .object([
            "time": .text("2026-01-09T23:06:40.000000042Z"), "type": .text("container"), "action": .text("die"), "id": .text("abc"),
            "name": .text("we\"b\n"), "image": .text("bü"), "attributes": .object(["exitCode": .text("1"), "error": .text("\u{0}")]),
        ]))
        #expect(found[2]?["name"] == .text("new") && found[2]?["attributes"] == .object([:]))
    }

    @Test("a file of events that has grown too large is begun anew, by whoever sees it")
    func largeEvents() throws {
        let path = directory.path + "/events"
        let logs = ["one", "two"].map { EventLog(path, limit: 4096, identifier: $0, name: $0, image: "i", time: { 0 }, note: { _ in }) }
        for _ in 0..<100 { for log in logs { log.add("health_status") } }
        let (old, new) = (lines("events.1"), lines("events"))
        let length = try #require(directory.contents("events.1")).count
        #expect((4097...5000).contains(length) && new.count < old.count, "\(length) bytes, \(old.count) and \(new.count) lines")
        #expect((old + new).allSatisfy { $0?["action"] == .text("health_status") })
    }

    @Test("of those who write events at the same time one begins the new file, and none takes that for an error")
    func sharedEvents() throws {
        let path = directory.path + "/events"
        let notes = Notes()
        let gates = (0..<4).map { _ in Gate() }
        for gate in gates {
            _ = try Thread(name: "writer") {
                let log = EventLog(path, limit: 512, identifier: "i", name: "n", image: "i", time: { 0 },
                                   note: notes.add)
                for _ in 0..<500 { log.add("health_status") }
                gate.open()
            }
        }
        for gate in gates { gate.wait() }
        #expect(notes.lines == [])
        #expect((lines("events") + lines("events.1")).allSatisfy { $0?["action"] == .text("health_status") })
        #expect(try #require(directory.contents("events.1")).count > 512)
    }

    private final class Notes: Sendable {
        private let kept = Mutex<[String]>([])
        var lines: [String] { kept.withLock { $0 } }
        func add(_ line: String) { kept.withLock { $0.append(line) } }
    }
}
