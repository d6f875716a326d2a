@testable import Containers
import LinuxSystem
import Testing

@Suite("Files of lines")
struct LogFileTests {
    private let test: TestStore

    init() throws {
        test = try TestStore()
    }

    private func write(_ name: String, _ text: String) throws {
        let file = try FileDescriptor.open(test.path + "/" + name, [.writeOnly, .create, .append])
        try Array(text.utf8).withUnsafeBytes { bytes in try file.writeAll(bytes) }
    }

    private func read(last: Int? = nil) throws -> [String] {
        var file = try LineFile(directory: test.path, name: "log", last: last)
        return try all(&file)
    }

    private func all(_ file: inout LineFile) throws -> [String] {
        var lines: [String] = []
        while true {
            let next = try file.next()
            if next.isEmpty { return lines }
            lines += next.map { String(decoding: $0, as: UTF8.self) }
        }
    }

    @Test("lines come from the oldest file to the newest, and from as far back as wanted")
    func order() throws {
        #expect(try read() == [])
        try write("log.10", "a\nb\n")
        try write("log.2", "c\n")
        try write("log.1", "d\ne\n")
        try write("log", "f\n")
        try write("log.x", "not this\n")
        let expected = ["a", "b", "c", "d", "e", "f"]
        #expect(try read() == expected)
        for count in 0...7 { #expect(try read(last: count) == expected.suffix(count), "\(count)") }
    }

    @Test("long files are searched from their end")
    func long() throws {
        let lines = (0..<20_000).map { "line number \($0)" }
        try write("log", lines.joined(separator: "\n") + "\n")
        for count in [1, 100, 9_999, 20_000, 30_000] { #expect(try read(last: count) == lines.suffix(count), "\(count)") }
    }

    @Test("half a line waits for the rest")
    func half() throws {
        try write("log", "one\ntw")
        var file = try LineFile(directory: test.path, name: "log", last: nil)
        #expect(try all(&file) == ["one"])
        try write("log", "o\nthree\n")
        #expect(try all(&file) == ["two", "three"])
    }

    @Test("nothing is missed when files make room, however often")
    func rotation() throws {
        try write("log", "1\n")
        var file = try LineFile(directory: test.path, name: "log", last: nil)
        #expect(try all(&file) == ["1"])
        try write("log", "2\n")
        try renameFile(test.path + "/log", to: test.path + "/log.1")
        try write("log", "3\n")
        try renameFile(test.path + "/log.1", to: test.path + "/log.2")
        try renameFile(test.path + "/log", to: test.path + "/log.1")
        try write("log", "4\n")
        #expect(try all(&file) == ["2", "3", "4"])
        try removeFile(test.path + "/log")
        try write("log", "5\n")
        #expect(try all(&file).last == "5")
    }

    @Test("a reader that waits is told of lines, and of being cancelled")
    func waiting() async throws {
        try write("log", "old\n")
        let reader = try LineReader(directory: test.path, name: "log", last: 0, follows: true)
        async let first = BlockingWork.run { () throws(ContainerError) in try reader.next()?.map { String(decoding: $0, as: UTF8.self) } }
        try write("log", "new\n")
        #expect(try await first == ["new"])
        async let second = BlockingWork.run { () throws(ContainerError) in try reader.next() == nil }
        reader.cancel()
        #expect(try await second)
    }

    @Test("objects of a line are read, whatever order and escapes they have", arguments: [
        (#"{"log":"a\n","stream":"stdout","time":"t"}"#, "a\n"), (#"{ "time" : "t" , "n": -1.5e3, "log" : "\u00e9\ud83d\ude00\"\\\/\t" }"#, "é😀\"\\/\t"),
        (#"{"x":{"y":{"z":"1"}},"log":"","b":true}"#, ""), (#"{"log":"\ud83d"}"#, "\u{FFFD}"),
    ])
    func objects(line: String, log: String) throws {
        let object = try #require(FlatObject(Array(line.utf8)[...]))
        #expect(object.text("log") == log)
    }

    @Test("what is no object is none", arguments: [
        "", "{", "{}x", "[]", #"{"a"}"#, #"{"a":}"#, #"{"a":"b""#, #"{"a":"b}"#, #"{"a":"\x"}"#, #"{"a":"\u12"}"#, #"{"a":"b",}"#,
        #"{"a":{"b":{"c":{"d":"e"}}}}"#, "null", #"{"a":"b"} {"#,
    ])
    func noObjects(line: String) {
        #expect(FlatObject(Array(line.utf8)[...]) == nil)
    }

    @Test("cut and changed lines never trap")
    func fuzz() {
        let whole = Array(#"{"time":"2026-01-31T12:00:00.5Z","log":"\u00e9\n","attributes":{"a":"b"}}"#.utf8)
        for end in 0..<whole.count { _ = FlatObject(whole[..<end]) }
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<20_000 {
            var bytes = whole
            for _ in 0..<Int.random(in: 1...4, using: &generator) { bytes[Int.random(in: 0..<bytes.count, using: &generator)] = .random(in: 0...255, using: &generator) }
            _ = FlatObject(bytes[...])
            _ = LogEntry(bytes[...])
        }
    }

    @Test("times are read with fractions and zones", arguments: [
        ("1970-01-01T00:00:00Z", 0), ("1970-01-01T00:00:01.5Z", 1_500_000_000), ("1970-01-01T01:00:00+01:00", 0), ("1970-01-02", 86_400_000_000_000),
        ("1970-01-01 00:01", 60_000_000_000), ("1970-01-01T23:00:00-01:00", 86_400_000_000_000), ("1970-01-01T00:00:00.0000000019Z", 1),
    ] as [(String, UInt64)])
    func times(text: String, time: UInt64) {
        #expect(Timestamp.parse(text) == time)
    }

    @Test("what is no time is none", arguments: [
        "", "1970", "1970-13-01", "1970-01-01T", "1970-01-01T00:00:00.Z", "1970-01-01T00:00:00Zx", "1970-01-01T00:00:00+1:00", "1969-12-31", "x970-01-01",
        "1970-01-01T24:00:00Z", "1970-01-01T00:00:00+",
    ])
    func noTimes(text: String) {
        #expect(Timestamp.parse(text) == nil)
    }

    @Test("a time comes back as it was written")
    func timeRoundTrip() {
        for time in [0, 1, 1_769_860_800_123_456_789] as [UInt64] { #expect(Timestamp.parse(Timestamp.text(time)) == time) }
    }
}
