import LinuxSystem
@testable import svmm_engine
import Testing

@Suite("svmm-engine network-names")
struct NetworkNamesTests {
    private let engine: EngineProcess
    private let port: UInt16

    init() throws {
        engine = try EngineProcess()
        port = try freePort(address: [127, 0, 0, 1], isStream: true)
    }

    private func words(_ names: String) -> [String] {
        ["network-names", "--network", "n1", "--address", "127.0.0.1", "--port", "\(port)", "--names", names, "--lock", engine.path("lock")]
    }

    @Test("says when it serves, and ends when the file is gone")
    func life() throws {
        let names = try engine.file("names", "web 10.89.0.2\n")
        let changes = try FileChanges()
        try changes.watch(engine.directory)
        let process = try engine.start(words(names))
        while engine.read("output") != "ready\n" {
            try #require(waitForInput(changes.raw, or: process.raw, within: 60_000) == 0, "\(engine.read("errors") ?? "")")
            changes.take()
        }
        try removeFile(names)
        #expect(process.wait() == 0)
        #expect(engine.read("errors") == "")
    }

    @Test("ends at once where nobody is named")
    func nobody() throws {
        #expect(try engine.start(words(engine.path("none"))).wait() == 0)
    }

    @Test("says in one line what is wrong with an address, and that there has to be one")
    func usage() throws {
        #expect(try engine.start(words("/x") + ["--address", "nonsense"]).wait() == 125)
        #expect(engine.read("errors")?.contains("expected an address of IPv4 or IPv6") == true)
        #expect(try engine.start(["network-names", "--network", "n1", "--names", "/x", "--lock", "/y"]).wait() == 125)
        #expect(engine.read("errors")?.contains("--address") == true)
    }
}
