import ContainerProtocol
import Glibc
import LinuxSystem
import Synchronization
import TestSupport

extension Peer {
    func setNonBlocking() throws { try descriptor.setNonBlocking() }

    /// Sends what the other side takes at the moment: how many bytes.
    func sendSome(_ bytes: [UInt8]) throws -> Int {
        let raw = descriptor.raw
        let result = bytes.withUnsafeBytes { bytes in Result { () throws(Errno) in try write(raw, bytes) } }
        if case .failure(.again) = result { return 0 }
        return try result.get()
    }
}

extension FakeClient {
    /// So many bytes of output.
    func readOutput(_ count: Int) throws -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count {
            guard case .output(let part) = try next() else { throw TimeoutError(what: "\(count) bytes of output, after \(bytes.count)") }
            bytes += part
        }
        return bytes
    }
}

/// Does something that waits on a thread of its own.
class Background<Value>: @unchecked Sendable {
    // Sound: `result` is written before the gate opens and read after that.
    private var result: Result<Value, any Error>?
    private let done = Gate()

    private struct Body: @unchecked Sendable {
        // Sound: run once, by the thread.
        let body: () throws -> Value
    }

    init(_ body: @escaping () throws -> Value) {
        let body = Body(body: body)
        let thread = try? Thread(name: "test") { [self] in
            result = Result { try body.body() }
            done.open()
        }
        if thread == nil { done.open() }
    }

    func wait() throws -> Value {
        done.wait()
        guard let result else { throw TimeoutError(what: "a thread") }
        return try result.get()
    }
}

/// Reads a client's output.
final class Reader: Background<[UInt8]>, @unchecked Sendable {
    init(_ client: FakeClient, count: Int) {
        super.init { try client.readOutput(count) }
    }
}

/// Sends a client's input, and its end.
final class Sender: Background<Void>, @unchecked Sendable {
    init(_ client: FakeClient, _ bytes: [UInt8]) {
        super.init {
            var rest = bytes[...]
            while !rest.isEmpty {
                try client.send(.input(Array(rest.prefix(ContainerChannel.maximumPart))))
                rest = rest.dropFirst(ContainerChannel.maximumPart)
            }
            try client.send(.endOfInput)
        }
    }
}

func waitUntilWritable(_ raw: Int32) throws {
    guard isWritable(raw, within: patience) else { throw TimeoutError(what: "room") }
}
