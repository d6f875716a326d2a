import Devices
import LinuxSystem
@testable import Machine
import TestSupport
import Testing

@Suite("Console socket")
struct ConsoleSocketTests {
    private let directory = TemporaryDirectory()
    private let buffer = ConsoleBuffer()
    private let input = SerialInput()
    private let path: String

    init() {
        ignoreWriteSignals()
        path = directory.path("console")
    }

    private func start() throws {
        let socket = try ConsoleSocket(path: path, buffer: buffer, input: input)
        _ = try Thread(name: "writer") { socket.runWriter() }
        _ = try Thread(name: "reader") { socket.runReader() }
    }

    private func print(_ text: String) { for byte in text.utf8 { buffer.append(byte) } }

    @Test("a client that comes late sees what was printed before, then what comes")
    func late() throws {
        try start()
        print("boot messages\n")
        let client = try SocketClient(path)
        #expect(try client.read(14) == "boot messages\n")
        print("login: ")
        #expect(try client.read(7) == "login: ")
    }

    @Test("what is printed after a client has gone waits for the next one", arguments: 0..<5)
    func gone(round: Int) throws {
        try start()
        do {
            let first = try SocketClient(path)
            print("a")
            #expect(try first.read(1) == "a")
        }
        print("bcdef")
        let second = try SocketClient(path)
        #expect(try second.read(5) == "bcdef")
        print("g")
        #expect(try second.read(1) == "g")
    }

    @Test("a second client waits until the first has gone")
    func second() throws {
        try start()
        let second: SocketClient
        do {
            let first = try SocketClient(path)
            print("x")
            #expect(try first.read(1) == "x")
            second = try SocketClient(path)
            print("y")
            #expect(try first.read(1) == "y")
        }
        print("z")
        #expect(try second.read(1) == "z")
    }

    @Test("clients that hang up at once do no harm")
    func hangUp() throws {
        try start()
        for _ in 0..<50 { _ = try SocketClient(path) }
        print("still here")
        let client = try SocketClient(path)
        #expect(try client.read(10) == "still here")
    }

    @Test("what a client types reaches the guest")
    func typing() throws {
        let received = try EventNotifier()
        let input = input
        let port = SerialPort(output: { _ in }, setInterrupt: { if $0 { received.signal() } },
                              roomForInput: { input.roomForInput() })
        port.write(offset: 1, size: 1, value: 1)
        input.attach(port)
        try start()
        let client = try SocketClient(path)
        try client.write("ls\n")
        var bytes: [UInt8] = []
        while bytes.count < 3 {
            try received.wait("input")
            while port.read(offset: 5, size: 1) & 1 != 0 { bytes.append(UInt8(port.read(offset: 0, size: 1))) }
        }
        #expect(bytes == Array("ls\n".utf8))
    }

    @Test("the end waits until a client has been sent the last words")
    func end() throws {
        try start()
        let client = try SocketClient(path)
        print("last words")
        buffer.close(waitingFor: 60_000_000_000)
        #expect(buffer.lostCount == 0)
        #expect(try client.read(10) == "last words")
    }

    @Test("a path that is too long or in use is refused with a hint, and what is there stays")
    func refused() throws {
        let file = try directory.file("file", [1])
        let inUse = "the path exists and is in use; remove it or choose another"
        #expect(throws: MachineError("--console unix=\(file): \(inUse)")) {
            _ = try ConsoleSocket(path: file, buffer: buffer, input: input)
        }
        #expect(directory.contents("file") == [1])
        let long = directory.path(String(repeating: "x", count: 120))
        #expect(throws: MachineError("--console unix=\(long): expected a path of 1 to 107 bytes")) {
            _ = try ConsoleSocket(path: long, buffer: buffer, input: input)
        }
        try start()
        #expect(throws: MachineError("--console unix=\(path): \(inUse)")) {
            _ = try ConsoleSocket(path: path, buffer: buffer, input: input)
        }
    }
}
