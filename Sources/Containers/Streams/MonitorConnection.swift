import ContainerProtocol
import LinuxSystem
import Synchronization

/// A connection to a container's monitor. One thread receives; any thread sends.
final class MonitorConnection: Sendable {
    /// Borrowed by those who poll.
    var raw: Int32 { socket.raw }

    private let socket: FileDescriptor
    private let container: String
    /// What the monitor says on standard error, for why it ended.
    private let log: String?
    private let sending = Mutex<Void>(())
    private let received = Mutex<MessageBuffer>(MessageBuffer())

    /// - Parameter container: for messages.
    init(_ socket: consuming FileDescriptor, container: String, log: String? = nil) {
        self.socket = socket
        self.container = container
        self.log = log
    }

    /// To a container that runs; throws `wrongState` when nobody listens.
    convenience init(to path: String, container: String) throws(ContainerError) {
        do throws(Errno) {
            let socket = try FileDescriptor.connected(toUnixSocket: path)
            let user = try socket.peerUser()
            guard user == CurrentProcess.user || user == 0 else { throw .accessDenied }
            self.init(socket, container: container)
        } catch {
            guard error != .noEntry, error != .connectionRefused else { throw .wrongState("container \(container) is not running") }
            throw .file(path, error)
        }
    }

    func send(_ message: ClientMessage) throws(ContainerError) {
        let frame = message.frame
        try sending.withLock { _ throws(ContainerError) in
            var failure: Errno?
            frame.withUnsafeBytes { bytes in
                do throws(Errno) { try socket.sendAll(bytes) } catch { failure = error }
            }
            if failure != nil { throw gone }
        }
    }

    /// Sends what the socket takes at once, of a message that is on its way: how many bytes.
    func sendWhatFits(_ bytes: ArraySlice<UInt8>) throws(ContainerError) -> Int {
        var result: Result<Int, Errno> = .success(0)
        bytes.withUnsafeBytes { bytes in
            do throws(Errno) { result = .success(try socket.sendWhatFits(bytes)) } catch { result = .failure(error) }
        }
        do throws(Errno) { return try result.get() } catch { throw gone }
    }

    /// Waits for the next message; nil at the end of the connection.
    func receive() throws(ContainerError) -> MonitorMessage? {
        while true {
            if let message = try next() { return message }
            guard try fill() else { return nil }
        }
    }

    /// Waits for bytes and takes them; false at the end of the connection.
    func fill() throws(ContainerError) -> Bool {
        let raw = socket.raw
        return received.withLock { $0.fill(from: raw) }
    }

    /// The next message of those that have arrived whole.
    func next() throws(ContainerError) -> MonitorMessage? {
        do {
            return try received.withLock { try $0.next() }
        } catch {
            throw .failed("container \(container): its monitor is of another version, or damaged: \(error)")
        }
    }

    /// Waits until the monitor has closed the connection, which it does at its end.
    func waitForEnd() {
        while (try? fill()) == true { received.withLock { $0.drop() } }
    }

    /// Ends a `receive` that waits.
    func shutDown() {
        endConnection(socket.raw)
    }

    /// Asks, and waits for the answer. A refusal is thrown.
    func ask(_ message: ClientMessage) throws(ContainerError) -> MonitorMessage {
        try send(message)
        guard let answer = try receive() else { throw gone }
        if case .failed(let status, let text) = answer { throw ContainerError(status: status, text) }
        return answer
    }

    /// The connection has ended before its time.
    var gone: ContainerError {
        guard let log else { return .wrongState("container \(container) has just ended") }
        let lines = contents(ofSmallFile: log).map { String(decoding: $0, as: UTF8.self).split(separator: "\n") } ?? []
        guard let last = lines.last else { return .failed("container \(container): its monitor has ended without a word") }
        return .failed(last.hasPrefix("svmm: ") ? String(last.dropFirst(6)) : String(last))
    }

    func unexpected(_ message: MonitorMessage) -> ContainerError {
        .failed("container \(container): its monitor gave an answer that does not fit (\(String(describing: message).prefix(40)))")
    }
}

/// Bytes of messages, as they arrive.
private struct MessageBuffer: Sendable {
    private var bytes: [UInt8] = []
    /// Where the next message begins.
    private var start = 0

    private static let size = 128 << 10

    mutating func fill(from raw: Int32) -> Bool {
        if start > 0 {
            bytes.removeFirst(start)
            start = 0
        }
        let count = withUnsafeTemporaryAllocation(byteCount: Self.size, alignment: 16) { buffer -> Int in
            let count = readWhenReady(raw, into: buffer) ?? 0
            bytes += UnsafeRawBufferPointer(rebasing: buffer[..<count])
            return count
        }
        return count > 0
    }

    mutating func next() throws -> MonitorMessage? {
        guard bytes.count - start >= ContainerChannel.headerSize else { return nil }
        let body = start + ContainerChannel.headerSize
        guard let size = ContainerChannel.size(bytes[start..<body]) else { throw Errno.ioError }
        guard bytes.count - body >= size else { return nil }
        start = body + size
        return try MonitorMessage(decoding: Array(bytes[body..<(body + size)]))
    }

    mutating func drop() {
        bytes = []
        start = 0
    }
}
