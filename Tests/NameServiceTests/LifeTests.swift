import Glibc
import LinuxSystem
@testable import NameService
import TestSupport
import Testing

@Suite("A name server's life")
struct LifeTests {
    @Test("a change of the file of names is seen, by another file and in place")
    func changes() throws {
        let server = try ServerHarness()
        #expect(ReadAnswer(try server.ask(WireMessage.question("web"))).records == [[10, 89, 0, 2]])
        try server.setNames("db 10.89.0.3\n")
        // Events are taken before the next question or after it.
        while ReadAnswer(try server.ask(WireMessage.question("db"))).code != 0 {}
        #expect(ReadAnswer(try server.ask(WireMessage.question("web"))).code == 3)
        let file = try FileDescriptor.open(server.directory.path("names"), [.writeOnly, .append])
        try Array("more 10.89.0.4\n".utf8).withUnsafeBytes { try file.writeAll($0) }
        while ReadAnswer(try server.ask(WireMessage.question("more"))).code != 0 {}
        #expect(ReadAnswer(try server.ask(WireMessage.question("db"))).records == [[10, 89, 0, 3]])
    }

    @Test("it is told when the file names nobody, or is gone, or its directory", arguments: 0..<3)
    func nameless(way: Int) throws {
        let server = try ServerHarness()
        switch way {
        case 0: try server.setNames("# nobody\n")
        case 1: try removeFile(server.directory.path("names"))
        default: try removeTree(server.directory.path)
        }
        try server.nameless.wait("the end of names")
    }

    @Test("both families are listened at, and each answers from the address that was asked")
    func families() throws {
        guard let address = InternetAddress("::1"), let other = InternetAddress("127.0.0.77") else { throw Errno.invalidArgument }
        let server = try ServerHarness { $0.addresses += [address, other] }
        for address in [address, other] {
            // A socket that is connected takes answers from there only.
            let client = try DatagramClient(InternetEndpoint(address, port: server.endpoint.port))
            try client.send(WireMessage.question("web"))
            #expect(ReadAnswer(try client.receive()).records == [[10, 89, 0, 2]])
            let stream = try StreamTestClient(InternetEndpoint(address, port: server.endpoint.port))
            try stream.ask(WireMessage.question("web"))
            #expect(try stream.receive().map(ReadAnswer.init)?.records == [[10, 89, 0, 2]])
        }
    }

    @Test("an address that the host does not have yet is listened at")
    func absent() throws {
        guard let v4 = InternetAddress("198.51.100.7"), let v6 = InternetAddress("2001:db8::7") else { throw Errno.invalidArgument }
        _ = try ServerHarness { $0.addresses += [v4, v6] }
    }

    @Test("the process's part ends with the names, and at once where another has the lock")
    func lock() throws {
        let directory = TemporaryDirectory()
        guard let address = InternetAddress("127.0.0.1") else { throw Errno.invalidArgument }
        let names = try directory.file("names", Array("web 10.89.0.2\n".utf8))
        let first = try Serving(address, names, directory.path("lock"))
        try first.ready.wait("the first")
        let second = try Serving(address, names, directory.path("lock"))
        #expect(try second.result() == "")
        // It answers still.
        let client = try DatagramClient(InternetEndpoint(address, port: first.port))
        try client.send(WireMessage.question("web"))
        #expect(ReadAnswer(try client.receive()).code == 0)
        try removeFile(names)
        #expect(try first.result() == "")
        // The lock is free, and there is nobody to name: so it ends by itself again.
        #expect(try Serving(address, names, directory.path("lock")).result() == "")
    }

    @Test("SIGTERM ends it")
    func terminate() throws {
        let directory = TemporaryDirectory()
        guard let address = InternetAddress("127.0.0.1") else { throw Errno.invalidArgument }
        let names = try directory.file("names", Array("web 10.89.0.2\n".utf8))
        // Sent to the one thread that takes it as an event.
        #expect(try Serving(address, names, directory.path("lock")) { _ = raise(SIGTERM) }.result() == "")
    }

    @Test("a port that somebody has is said to be so, after a while")
    func taken() throws {
        let directory = TemporaryDirectory()
        let other = try ServerHarness()
        let names = try directory.file("names", Array("web 10.89.0.2\n".utf8))
        let result = try Serving(other.endpoint.address, names, directory.path("lock"), port: other.endpoint.port).result()
        #expect(result.hasPrefix("name server: \(other.endpoint): Address already in use; another name server has this port"))
        let missing = try Serving(other.endpoint.address, names, directory.path("no/lock")).result()
        #expect(missing == "\(directory.path("no/lock")): No such file or directory; expected a file that can be locked")
    }
}

/// `NameService.run` on a thread.
private final class Serving: Sendable {
    let ready: EventNotifier
    let port: UInt16
    private let ended: EventNotifier
    private let error = ErrorBox()

    init(_ address: InternetAddress, _ names: String, _ lock: String, port: UInt16? = nil, whenReady: @escaping @Sendable () -> Void = {}) throws {
        var configuration = NameServerConfiguration(addresses: [address], names: names)
        configuration.port = try port ?? withFreePort { port in
            let endpoint = InternetEndpoint(address, port: port)
            _ = try DatagramSocket(boundTo: endpoint)
            _ = try StreamListener(boundTo: endpoint)
        }
        self.port = configuration.port
        let (ready, ended) = (try EventNotifier(), try EventNotifier())
        (self.ready, self.ended) = (ready, ended)
        _ = try Thread(name: "serving") { [configuration, error] in
            do throws(NameServiceError) {
                try NameService.run(configuration, lock: lock, patience: 200) {
                    ready.signal()
                    whenReady()
                }
            } catch let failure {
                error.text = failure.description
            }
            ended.signal()
        }
    }

    /// What went wrong, when it has ended.
    func result() throws -> String {
        try ended.wait("the end of a name server")
        return error.text
    }

    private final class ErrorBox: @unchecked Sendable {
        // Sound: written before the end is signalled, read afterwards.
        var text = ""
    }
}
