import AgentCore
import AgentProtocol
import Testing
import TestSupport

@Suite("What the agent reads and writes as text")
struct TextTests {
    private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }
    private func string(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

    @Test("a program is looked for along PATH, unless its name has a slash")
    func search() {
        func candidates(_ program: String, _ path: String) -> [String] {
            CommandSearch.candidates(bytes(program), path: bytes(path)).map { string($0) }
        }
        #expect(candidates("ls", "/bin:/usr/bin") == ["/bin/ls", "/usr/bin/ls"])
        #expect(candidates("ls", ":/bin") == ["./ls", "/bin/ls"])
        #expect(candidates("ls", "") == ["./ls"])
        #expect(candidates("./ls", "/bin") == ["./ls"])
        #expect(candidates("/x/ls", "/bin") == ["/x/ls"])
        #expect(candidates("", "/bin") == [])
    }

    @Test("the last of two variables of a name counts")
    func environment() {
        let environment = ["PATH=/a", "PATHS=/b", "PATH=/c"].map { bytes($0) }
        #expect(CommandSearch.value(of: "PATH", in: environment).map { string($0) } == "/c")
        #expect(CommandSearch.value(of: "HOME", in: environment) == nil)
    }

    @Test("decimal numbers are digits and nothing else")
    func decimal() {
        #expect(Digits.decimal(bytes("0")) == 0)
        #expect(Digits.decimal(bytes("18446744073709551615")) == .max)
        for text in ["", "18446744073709551616", "99999999999999999999999", "-1", "+1", " 1", "1 ", "0x1", "1a"] {
            #expect(Digits.decimal(bytes(text)) == nil, "\(text)")
        }
        #expect(string(Digits.text(.max)) == "18446744073709551615")
        #expect(string(Digits.text(0)) == "0")
        #expect(string(Digits.octal(0o755, width: 7)) == "0000755")
    }

    @Test("values of cgroup files and of /proc are found by their names")
    func keyed() {
        let text = bytes("low 0\noom 3\noom_kill 2\nMemTotal:         253012 kB\nbad\n")
        #expect(Digits.value(of: "oom_kill", in: text) == 2)
        #expect(Digits.value(of: "oom", in: text) == 3)
        #expect(Digits.value(of: "MemTotal", in: text) == 253012)
        #expect(Digits.value(of: "bad", in: text) == nil)
        #expect(Digits.value(of: "none", in: text) == nil)
    }

    @Test("the status of a process is understood whatever its name")
    func processStatus() throws {
        let text = bytes("42 (a) R (b) S 7 42 42 0 -1 4194304 100 0 0 0 12 34 0 0 20 0 1 0 5678 1000000 25 18446744073709551615 1 1 0\n")
        let process = try #require(ProcessText(stat: text))
        #expect(string(process.name) == "a) R (b")
        #expect(process.state == UInt8(ascii: "S"))
        #expect(process.parent == 7)
        #expect(process.cpu == 46)
        #expect(process.start == 5678)
        #expect(process.resident == 25)
        for count in 0..<60 { #expect(ProcessText(stat: Array(text.prefix(count))) == nil) }
        #expect(ProcessText.numbers("NSpid", inStatus: bytes("Name:\tx\nNSpid:\t120\t3\nUid:\t0\t0\t0\t0\n")) == [120, 3])
        #expect(string(ProcessText.command(bytes("sh\0-c\0true\0\0"), limit: 100)) == "sh -c true")
        #expect(string(ProcessText.command(bytes("abcdef"), limit: 3)) == "abc")
    }

    @Test("kernel parameters become paths below /proc/sys, and lead nowhere else", arguments: [
        ("net.ipv4.ip_forward", "net/ipv4/ip_forward"), ("net/ipv4/conf/eth0.1/forwarding", "net/ipv4/conf/eth0.1/forwarding"),
        ("net.ipv4.conf.eth0/1.forwarding", "net/ipv4/conf/eth0.1/forwarding"), ("", nil), ("../../x", ".x"), ("a/../b", nil), (".//", nil),
        ("a\0b", nil),
    ] as [(String, String?)])
    func kernelParameter(name: String, path: String?) {
        #expect(PathName.kernelParameter(bytes(name)).map { string($0) } == path)
    }

    @Test("paths are compared by whole components")
    func prefixes() {
        #expect(PathName.path(bytes("/proc"), isAtOrBelow: bytes("/proc")))
        #expect(PathName.path(bytes("//proc/./x"), isAtOrBelow: bytes("/proc/")))
        #expect(!PathName.path(bytes("/process"), isAtOrBelow: bytes("/proc")))
        #expect(!PathName.path(bytes("/"), isAtOrBelow: bytes("/proc")))
    }

    @Test("mount points are read as the kernel wrote them")
    func escapes() {
        #expect(string(PathName.unescaped(bytes(#"/a\040b\134\011"#))) == "/a b\\\t")
        #expect(string(PathName.unescaped(bytes(#"/a\04"#))) == #"/a\04"#)
        #expect(string(PathName.unescaped(bytes(#"/a\9999"#))) == #"/a\9999"#)
    }

    @Test("frames are found however the stream is cut", arguments: [1, 3, 4, 5, 7, 1000])
    func frames(part: Int) throws {
        let requests = [AgentRequest.statistics, .archive(path: "/etc", stream: 5), .freeze(true)]
        let stream = requests.flatMap { $0.frame(9) }
        var reader = FrameReader()
        var found: [AgentRequest] = []
        for start in stride(from: 0, to: stream.count, by: part) {
            stream[start..<min(start + part, stream.count)].withUnsafeBytes { reader.append($0) }
            while let frame = try reader.next() { found.append(try AgentRequest.decode(frame).request) }
        }
        #expect(found == requests)
    }

    @Test("a frame that is too long is noticed before it is waited for")
    func longFrame() {
        var reader = FrameReader()
        ([0, 0, 0, 1] as [UInt8]).withUnsafeBytes { reader.append($0) }
        #expect(throws: FrameReader.BadLength.self) { try reader.next() }
    }

    @Test("the kernel's log loses its priorities, and nothing else")
    func kernelLog() {
        let log = "<6>[    0.0] one <2> three\n<14>[    0.1] two\nno priority\n<lost\n\n<4>unfinished"
        #expect(KernelLog.plain(Array(log.utf8)) == Array("[    0.0] one <2> three\n[    0.1] two\nno priority\n<lost\n\nunfinished".utf8))
        #expect(KernelLog.plain([]) == [])
        #expect(KernelLog.plain(Array("<".utf8)) == Array("<".utf8))
    }

    @Test("texts are cut between characters")
    func clipping() {
        #expect(ClippedText.clip("abc", 3) == "abc")
        #expect(ClippedText.clip("abcd", 3) == "abc")
        for limit in 0...10 {
            let text = ClippedText.clip("aü€😀x", limit)
            #expect("aü€😀x".hasPrefix(text))
            #expect(text.utf8.count <= limit)
            #expect(!text.contains("\u{fffd}"))
        }
        let long = String(repeating: "€", count: 3000)
        guard case .status(let status) = AgentReply.status(PathStatus(mode: 0, size: 0, target: long)).clipped else { return }
        #expect(status.target.utf8.count == 4095)
    }
}
