import LinuxSystem
import Synchronization

/// The console as a unix socket: one client at a time, the next one when it has gone. Output without a client waits in the
/// buffer, so that a client that comes late still sees the boot.
final class ConsoleSocket: @unchecked Sendable {
    // Sound: `listener` is only read; `client` is behind the condition's mutex.
    private let listener: UnixListener
    private let buffer: ConsoleBuffer
    private let input: SerialInput
    private let condition = Condition()
    private var client: SharedDescriptor?

    /// A client's descriptor, closed when the last thread that uses it lets go.
    private final class SharedDescriptor: Sendable {
        let descriptor: FileDescriptor
        init(_ descriptor: consuming FileDescriptor) { self.descriptor = descriptor }
    }

    init(path: String, buffer: ConsoleBuffer, input: SerialInput) throws(MachineError) {
        do throws(Errno) {
            listener = try UnixListener(path: path)
        } catch {
            let hint = switch error {
            case .addressInUse: "the path exists and is in use; remove it or choose another"
            case .nameTooLong: "expected a path of 1 to \(UnixListener.maximumPathLength) bytes"
            default: "\(error)"
            }
            throw MachineError("--console unix=\(path): \(hint)")
        }
        self.buffer = buffer
        self.input = input
    }

    /// Accepts clients and sends on what they type. A client that has said all it wants to say, and still listens, keeps
    /// getting output until the next one comes.
    func runReader() {
        var chunk = [UInt8](repeating: 0, count: 1024)
        while let connection = try? listener.accept() {
            let client = SharedDescriptor(connection)
            setClient(client)
            while let count = chunk.withUnsafeMutableBytes({ try? read(client.descriptor.raw, into: $0) }), count > 0 {
                // A client that leaves before the guest has read its words takes them along.
                input.send(Array(chunk[..<count])) { isHungUp(client.descriptor.raw) }
            }
            if isHungUp(client.descriptor.raw) { clearClient(client) }
        }
    }

    /// Sends output to whoever is there.
    func runWriter() {
        while true {
            // Without a client nothing is taken from the buffer, which keeps the newest bytes.
            waitForClient()
            guard let bytes = buffer.take(limit: 1 << 16) else { return }
            var rest = bytes[...]
            while !rest.isEmpty {
                // A client that goes meanwhile leaves the rest to the next one.
                let client = waitForClient()
                if let count = rest.withUnsafeBytes({ try? write(client.descriptor.raw, $0) }) {
                    rest = rest.dropFirst(count)
                } else {
                    clearClient(client)
                }
            }
        }
    }

    /// Whether somebody is there to take output.
    var hasClient: Bool { condition.withLock { client != nil } }

    /// Removes the socket's name.
    func close() {
        listener.removeName()
    }

    private func setClient(_ client: SharedDescriptor) {
        condition.withLock {
            // The one before has said its last word; output that waits for it to listen must not keep this one waiting.
            if let before = self.client { endConnection(before.descriptor.raw) }
            self.client = client
            condition.broadcast()
        }
    }

    private func clearClient(_ gone: SharedDescriptor) {
        condition.withLock {
            if client === gone { client = nil }
        }
    }

    @discardableResult
    private func waitForClient() -> SharedDescriptor {
        condition.withLock {
            while true {
                if let client { return client }
                condition.wait()
            }
        }
    }
}
