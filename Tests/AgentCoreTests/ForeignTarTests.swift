import AgentCore
import Glibc
import ProcessSupport
import Testing
import TestSupport

/// Archives of others, and others reading ours.
@Suite("Tar archives and GNU tar")
struct ForeignTarTests {
    private func run(_ script: String) throws -> String {
        let process = try ChildProcess(["/bin/sh", "-ec", script])
        let output = String(decoding: try process.output.waitForEnd(), as: UTF8.self)
        let errors = String(decoding: try process.errors.waitForEnd(), as: UTF8.self)
        #expect(try process.waitForEnd() == .exited(0), "\(errors)")
        return output
    }

    @Test("archives in GNU tar's formats are understood", arguments: ["v7", "ustar", "oldgnu", "gnu", "pax"])
    func reads(format: String) throws {
        let directory = TemporaryDirectory()
        let isOld = format == "v7" || format == "ustar"
        let long = String(repeating: "n", count: isOld ? 60 : 200)
        _ = try run("""
            cd '\(directory.path("."))' && mkdir -p tree/sub && cd tree && printf hello >file && chmod 640 file && ln -s ../x link && ln file hard
            printf long >\(long) && touch -d @1234567890.5 file sub
            tar --format=\(format) --sort=name --owner=:1234 --group=:56 -cf ../archive.tar .
            """)
        let members = try TarTests.read(#require(self.contents(directory.path("archive.tar"))))
        var found: [String: (TarEntry, [UInt8])] = [:]
        for member in members { found[String(decoding: member.entry.name, as: UTF8.self)] = (member.entry, member.contents) }
        #expect(Set(found.keys) == ["./", "./file", "./hard", "./link", "./\(long)", "./sub/"])
        let (file, words) = try #require(found["./file"])
        #expect(words == Array("hello".utf8))
        #expect(file.mode == 0o640)
        #expect(file.user == 1234)
        #expect(file.group == 56)
        #expect(file.time == 1_234_567_890)
        #expect(file.nanoseconds == (format == "pax" ? 500_000_000 : 0))
        #expect(found["./hard"]?.0.kind == .hardLink(Array("./file".utf8)))
        #expect(found["./link"]?.0.kind == .symbolicLink(Array("../x".utf8)))
        #expect(found["./sub/"]?.0.kind == .directory)
        #expect(found["./\(long)"]?.1 == Array("long".utf8))
    }

    @Test("GNU tar lists our archives as they are meant")
    func lists() throws {
        let directory = TemporaryDirectory()
        let entries = TarTests.entries.filter { $0.name.first != 0xff }
        let archive = entries.flatMap { $0.header + [UInt8](repeating: 0, count: Int($0.size) + Tar.padding($0.size)) } + Tar.end
        let path = directory.path("ours.tar")
        let file = try #require(fopen(path, "w"))
        #expect(fwrite(archive, 1, archive.count, file) == archive.count)
        fclose(file)
        let lines = try run("TZ=UTC tar --numeric-owner --full-time -tvf '\(path)'").split(separator: "\n")
        try #require(lines.count == entries.count)
        #expect(lines[0] == "-rw-r--r-- 1000/1000         5 2009-02-13 23:31:30 file")
        #expect(lines[4].hasSuffix(String(repeating: "long/", count: 300) + "name"))
        #expect(lines.contains { $0.hasPrefix("crw-rw-rw- 0/0") && $0.contains("1,3") })
        #expect(lines.contains { $0.hasPrefix("-rw-r--r-- 4000000000/2097152") && $0.contains(":20.000000001 ") })
        #expect(lines.contains { $0.contains("1969-12-31 23:59:5") && $0.hasSuffix(" before 1970") })
        #expect(lines.contains { $0.contains("link to file") })
    }

    private func contents(_ path: String) -> [UInt8]? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        return Array(bytes[..<fread(&bytes, 1, bytes.count, file)])
    }
}
