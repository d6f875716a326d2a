import CommandSupport
import Containers
import Glibc
import LinuxSystem
import Registry
@testable import svmm_engine
import Testing

@Suite("svmm-engine as a program")
struct EngineProgramTests {
    @Test("output that nobody gets is no success", arguments: [["images"], ["ps"], ["container", "stats", "--no-stream"], ["system", "df"]])
    func fullDisk(words: [String]) throws {
        let finished = try EngineProcess().run(words, output: "/dev/full")
        #expect((finished.status, finished.errors) == (125, "svmm: standard output: No space left on device\n"))
    }

    @Test("nor is help that nobody gets")
    func fullDiskHelp() throws {
        let engine = try EngineProcess()
        #expect(try engine.start(["run", "--help"], output: "/dev/full").wait() == 125)
        #expect(engine.read("errors") == "svmm: standard output: No space left on device\n")
    }

    @Test("help of podman's words is that of the commands")
    func help() throws {
        let engine = try EngineProcess()
        #expect(try engine.start(["rmi", "--help"]).wait() == 0)
        #expect(engine.read("output")?.contains("USAGE: svmm image rm") == true, "\(engine.read("output") ?? "")")
    }

    @Test("an empty --root is refused, and is not the working directory")
    func emptyRoot() throws {
        let engine = try EngineProcess()
        for words in [["ps", "--root", ""], ["ps", "--root="]] {
            #expect(try engine.start(words).wait() == 125)
            let errors = engine.read("errors") ?? ""
            #expect(errors.contains("--root") && errors.contains("expected a directory") && errors.split(separator: "\n").count == 1, "\(errors)")
        }
        #expect(try StoreOptions.standardDirectory(user: 5) { ["SVMM_ROOT": "", "HOME": "/h"][$0] } == "/h/.local/share/svmm")
    }

    @Test("a question takes its answer from a pipe, and says what to do where there is none", arguments: [
        ["container", "prune"], ["system", "prune"], ["image", "prune"],
    ])
    func question(words: [String]) throws {
        let engine = try EngineProcess()
        for yes in ["y\n", "Yes\nn\n", "y"] {
            let finished = try engine.run(words, input: yes)
            #expect(finished.status == 0 && finished.output == "Total reclaimed space: 0 B\n", "\(finished)")
        }
        for no in ["n\n", "\n"] {
            let finished = try engine.run(words, input: no)
            #expect(finished.status == 0 && finished.output.isEmpty, "\(finished)")
        }
        let finished = try engine.run(words)
        #expect(finished.status == 125)
        #expect(finished.errors.hasSuffix("svmm: standard input is no terminal to ask on, and has no answer: expected y, or --force to go without asking\n"), "\(finished)")
    }

    @Test("what could not be exported leaves the file that was there")
    func export() throws {
        let engine = try EngineProcess()
        let file = try engine.file("archive.tar", "precious")
        #expect(try engine.run(["export", "-o", file, "none"]).status == 125)
        #expect(engine.read("archive.tar") == "precious")
        #expect(try engine.run(["export", "-o", engine.path("new.tar"), "none"]).status == 125)
        #expect(engine.read("new.tar") == nil)
    }

    @Test("a signal ends run while its image is fetched, and the file for the id goes", arguments: [SIGTERM, SIGINT, SIGHUP, SIGQUIT])
    func interrupted(signal: Int32) throws {
        let engine = try EngineProcess()
        let registry = try SilentRegistry()
        let image = "127.0.0.1:\(registry.port)/a/b"
        let process = try engine.start(
            ["run", "--root", engine.path("root"), "--cidfile", engine.path("id"), "--tls-verify=false", "--network", "none", image])
        // It has asked, and gets no answer.
        let first = waitForInput(registry.raw, or: process.raw, within: 60_000)
        try #require(first == 0, "\(engine.read("errors") ?? "")")
        #expect(engine.read("id") == "")
        kill(process.identifier, signal)
        try #require(waitForInput(process.raw, or: process.raw, within: 60_000) == 0)
        #expect(process.wait() == 128 + signal)
        #expect(engine.read("id") == nil)
    }

    @Test("a file is replaced when it is complete, through links, and with its permissions")
    func outputFile() throws {
        let engine = try EngineProcess()
        let file = try engine.file("file", "old")
        #expect(symlink("file", engine.path("link")) == 0 && symlink(engine.path("new"), engine.path("dangling")) == 0 && chmod(file, 0o600) == 0)
        let discarded = try OutputFile(file)
        try discarded.write(Array("half".utf8))
        #expect(engine.read("file") == "old")
        discarded.discard()
        for (name, target) in [("link", "file"), ("dangling", "new")] {
            let output = try OutputFile(engine.path(name))
            try output.write(Array("whole".utf8))
            try output.finish()
            #expect(engine.read(target) == "whole")
            #expect(try fileAttributes(at: engine.path(name)).mode & S_IFMT == S_IFLNK)
        }
        #expect(try fileAttributes(at: file).mode & 0o777 == 0o600)
        var names: [String] = []
        let entries = try #require(opendir(engine.directory))
        defer { closedir(entries) }
        while let entry = readdir(entries) {
            names.append(withUnsafePointer(to: &entry.pointee.d_name) { $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) } })
        }
        #expect(names.sorted() == [".", "..", "dangling", "file", "link", "new"])
        let device = try OutputFile("/dev/null")
        try device.write([1])
        device.discard()
        #expect(try fileStatus(at: "/dev/null").kind == .characterDevice)
    }

    @Test("variables come from pipes as well, and not from files without end")
    func environmentFiles() throws {
        var ends: [Int32] = [0, 0]
        #expect(pipe(&ends) == 0)
        let text = Array("A=1\nB=2".utf8)
        #expect(Glibc.write(ends[1], text, text.count) == text.count)
        close(ends[1])
        defer { close(ends[0]) }
        #expect(try EnvironmentOptions.combine(files: ["/proc/self/fd/\(ends[0])"], variables: []) == ["A=1", "B=2"])
        let engine = try EngineProcess()
        let most = "A=" + String(repeating: "x", count: (1 << 20) - 2)
        #expect(try EnvironmentOptions.combine(files: [try engine.file("most", most)], variables: []) == [most])
        for file in [try engine.file("more", most + "x"), "/dev/zero", engine.directory, engine.path("none")] {
            #expect(throws: Expected.self) { try EnvironmentOptions.combine(files: [file], variables: []) }
        }
    }

    @Test("controls are shown, wherever text is not svmm's own")
    func controls() throws {
        #expect(visible("a\u{1B}[2J\u{9B}\u{7F}\n\r\n\tü©") == "a\\x1b[2J\\x9b\\x7f\\x0a\\x0d\\x0a\\x09ü©")
        #expect(oneLine("a\nb\u{1B}") == "a; b\\x1b")
        var table = TextTable(["A", "B"])
        table.add(["x\ny\u{1B}", "z"])
        #expect(table.lines == ["A           B", "x\\x0ay\\x1b  z"])
        let value = JSONValue.object(["N": .string("a\u{9B}\tb"), "L": .array([.string("\n")])])
        #expect(try FieldTemplate(#"{{.N}}\t{{.L}} {{json .N}}"#).line(value) == "a\\x9b\\x09b\t\\x0a \"a\\u009b\\tb\"")
        #expect(try ListFormat(parsing: #"table {{.N}}\t{{.L}}"#).lines([value], columns: [], hasHeading: false) == ["a\\x9b\\x09b  \\x0a"])
        let finished = try EngineProcess().run(["inspect", "a\u{1B}[2J\u{85}b"])
        #expect(finished.status == 125 && finished.errors.hasPrefix("svmm: a\\x1b[2J"), "\(finished.errors)")
    }

    @Test("two publications of one port are refused where they meet", arguments: [
        ([("", 80), ("", 80)], true), ([("127.0.0.1", 80), ("", 80)], true), ([("127.0.0.1", 80), ("0.0.0.0", 80)], true), ([("::", 80), ("::1", 80)], true),
        ([("127.0.0.1", 80), ("127.0.0.2", 80)], false), ([("", 80), ("", 81)], false), ([("0.0.0.0", 80), ("::", 80)], false), ([("", 0), ("", 0)], false),
    ] as [([(String, UInt16)], Bool)])
    func publications(ports: [(String, UInt16)], isRefused: Bool) throws {
        var texts = ports.map { address, port in
            (address.isEmpty ? "" : address.contains(":") ? "[\(address)]:" : "\(address):") + (port == 0 ? "80" : "\(port):80")
        }
        #expect((ContainerPort.firstConflict(try texts.flatMap { try ContainerPort.parse($0) }) == nil) != isRefused)
        texts[1] += "/udp"
        #expect(ContainerPort.firstConflict(try texts.flatMap { try ContainerPort.parse($0) }) == nil)
    }
}

/// A socket of 127.0.0.1 that answers nothing.
private struct SilentRegistry: ~Copyable {
    private let socket: FileDescriptor
    let port: UInt16
    var raw: Int32 { socket.raw }

    init() throws {
        let raw = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        try #require(raw >= 0)
        let socket = FileDescriptor(owning: raw)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(raw, $0, size) == 0 && listen(raw, 8) == 0 && getsockname(raw, $0, &size) == 0 }
        }
        try #require(isBound)
        self.socket = socket
        port = UInt16(bigEndian: address.sin_port)
    }
}
