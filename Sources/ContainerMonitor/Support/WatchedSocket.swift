import LinuxSystem

/// A stream socket and what the loop watches it for.
final class WatchedSocket {
    private let loop: EventLoop
    private let raw: Int32
    private var stream: UnixStream?
    private var token: EventLoop.Token?
    private var watched: Readiness?
    /// Called when the socket is ready for what it is watched for, has been hung up or has failed.
    var handler: (Readiness) -> Void = { _ in }

    init(_ stream: consuming UnixStream, _ loop: EventLoop) {
        raw = stream.raw
        self.stream = consume stream
        self.loop = loop
    }

    deinit {
        close()
    }

    var isOpen: Bool { stream != nil }

    /// Says what the socket is watched for from now on. Nothing (`[]`) still tells of a hang-up, again and again; nil of nothing at
    /// all. A socket that the kernel cannot watch is closed.
    func watch(for readiness: Readiness?) {
        guard stream != nil, watched != readiness else { return }
        watched = readiness
        guard let readiness else {
            if let token { loop.forget(token) }
            token = nil
            return
        }
        do throws(Errno) {
            if let token {
                try loop.rearm(token, for: readiness)
            } else {
                token = try loop.watch(raw, for: readiness) { [weak self] in self?.handler($0) }
            }
        } catch {
            close()
        }
    }

    /// Takes what is there; nil when nothing is, 0 at the end.
    func receive(into bytes: UnsafeMutableRawBufferPointer) throws(Errno) -> Int? {
        guard stream != nil else { throw .connectionReset }
        return try stream?.receive(into: bytes)
    }

    /// Gives as much as the socket takes, and drops it from the queue. Throws when nobody will ever take more.
    func send(_ queue: inout ByteQueue) throws(Errno) {
        while !queue.isEmpty {
            let result = queue.withUnsafeBytes { bytes in Result { () throws(Errno) in try self.send(bytes) } }
            guard let count = try result.get() else { return }
            queue.removeFirst(count)
        }
    }

    private func send(_ bytes: UnsafeRawBufferPointer) throws(Errno) -> Int? {
        guard stream != nil else { throw .connectionReset }
        return try stream?.send(bytes)
    }

    /// The other side reads the end.
    func endSending() {
        stream?.endSending()
    }

    /// Gives up the socket, which is watched no more.
    func take() -> UnixStream? {
        forget()
        return stream.take()
    }

    func close() {
        forget()
        stream = nil
    }

    private func forget() {
        if let token { loop.forget(token) }
        token = nil
        watched = nil
    }
}
