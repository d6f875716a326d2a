import Glibc
import LinuxSystem
@testable import Machine
import MachineProtocol
import Synchronization
import Testing
import TestSupport

@Suite("State directory")
struct StateDirectoryTests {
    let directory = TemporaryDirectory()

    @Test("is made for its user alone, with its parent, and goes with the machine")
    func lifetime() throws {
        let parent = directory.path("parent")
        defer { rmdir(parent) }
        let path = parent + "/vm"
        let state = try StateDirectory(path)
        #expect(try FileDescriptor.open(path, .readOnly).attributes().mode == 0o040700)
        state.remove()
        #expect(access(path, F_OK) != 0)
    }

    @Test("one that was there is used and stays, also with files of others in it")
    func existing() throws {
        let path = directory.makeDirectory("vm")
        let file = path + "/notes"
        close(creat(file, 0o600))
        defer { unlink(file) }
        try StateDirectory(path).remove()
        #expect(access(file, F_OK) == 0)
    }

    @Test("belongs to one machine at a time, and to the next when that has ended")
    func lock() throws {
        let path = directory.makeDirectory("vm")
        do {
            let first = try StateDirectory(path)
            #expect(throws: MachineError("--state \(path): used by another virtual machine; expected a name or directory of its own")) {
                _ = try StateDirectory(path)
            }
            withExtendedLifetime(first) {}
        }
        _ = try StateDirectory(path)
    }

    @Test("is refused when it is a file, a link, missing two parents, or open to others", arguments: [
        ("file", "expected a directory"), ("link", ""), ("a/b/c", "No such file"), ("open", "others can write to it"),
    ])
    func refused(name: String, reason: String) throws {
        _ = try directory.file("file", [])
        let open = directory.makeDirectory("open")
        chmod(open, 0o777)
        symlink(open, directory.path("link"))
        let error = #expect(throws: MachineError.self) { _ = try StateDirectory(directory.path(name)) }
        #expect(error?.description.contains(reason) == true, "\(String(describing: error))")
        #expect(error?.description.hasPrefix("--state \(directory.path(name)): ") == true)
    }
}

@Suite("Control socket", .timeLimit(.minutes(1)))
struct ControlServerTests {
    let directory = TemporaryDirectory()

    /// Runs a server on a thread of its own, which answers every request but one, while `body` talks to it.
    private func serving(_ body: (String) throws -> Void) throws {
        let path = directory.path("control.sock")
        let loop = try EventLoop()
        let server = try ControlServer(path: path, loop: loop) { $1($0 == .vsock ? .failed("no vsock") : .shares([])) }
        try server.start()
        let ended = Gate()
        _ = try Thread(name: "control") {
            loop.run()
            ended.open()
        }
        defer {
            loop.perform { loop.stop() }
            ended.wait()
            server.close()
            #expect(access(path, F_OK) != 0)
        }
        try body(path)
    }

    private func send(_ bytes: [UInt8], to client: borrowing FileDescriptor) throws {
        try bytes.withUnsafeBytes { try client.writeAll($0) }
    }

    /// The next reply; nil when the connection has ended.
    private func reply(_ client: borrowing FileDescriptor) throws -> ControlReply? {
        func take(_ count: Int) throws -> [UInt8]? {
            var bytes: [UInt8] = []
            while bytes.count < count {
                var byte: UInt8 = 0
                guard try withUnsafeMutableBytes(of: &byte, { try client.read(into: $0) }) == 1 else { return nil }
                bytes.append(byte)
            }
            return bytes
        }
        guard let header = try take(4), let size = ControlFrame.size(header), let message = try take(size) else { return nil }
        return try ControlReply(decoding: message)
    }

    @Test("answers one request after the other, also when they come in one piece or byte by byte")
    func pieces() throws {
        try serving { path in
            let client = try FileDescriptor.connected(toUnixSocket: path)
            try send(ControlRequest.listShares.frame + ControlRequest.vsock.frame, to: client)
            #expect(try reply(client) == .shares([]))
            #expect(try reply(client) == .failed("no vsock"))
            for byte in ControlRequest.listShares.frame { try send([byte], to: client) }
            #expect(try reply(client) == .shares([]))
        }
    }

    @Test("what is no request is answered by a reason, what is no message by the end", arguments: [
        ([4, 0, 0, 0, 9, 9, 9, 9], true), ([5, 0, 0, 0, 1, 0, 0, 0, 99], true), ([0, 0, 0, 0], false),
        ([255, 255, 255, 255], false),
    ] as [([UInt8], Bool)])
    func nonsense(bytes: [UInt8], isAnswered: Bool) throws {
        try serving { path in
            let client = try FileDescriptor.connected(toUnixSocket: path)
            try send(bytes, to: client)
            if isAnswered {
                guard case .failed = try #require(try reply(client)) else { return #expect(Bool(false)) }
            } else {
                #expect(try reply(client) == nil)
            }
            let other = try FileDescriptor.connected(toUnixSocket: path)
            try send(ControlRequest.listShares.frame, to: other)
            #expect(try reply(other) == .shares([]))
        }
    }

    @Test("clients that say nothing, or go in the middle of a word, do not keep others out")
    func idleClients() throws {
        try serving { path in
            for _ in 0..<3 * ControlServer.maximumClients {
                let client = try FileDescriptor.connected(toUnixSocket: path)
                try send([9], to: client)
            }
            let idle = try (0..<ControlServer.maximumClients).map { _ in try FileDescriptor.connected(toUnixSocket: path).release() }
            defer { for raw in idle { close(raw) } }
            let client = try FileDescriptor.connected(toUnixSocket: path)
            try send(ControlRequest.listShares.frame, to: client)
            #expect(try reply(client) == .shares([]))
        }
    }
}
