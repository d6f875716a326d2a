import ContainerProtocol
import LinuxSystem
import Synchronization

/// One connection of a client.
final class FakeClient: Sendable {
    private let socket: FileDescriptor
    private let sending = Mutex<Void>(())
    /// What it has attached to.
    let streams = Mutex<AttachedStreams?>(nil)
    let waits = Atomic<Bool>(false)
    let hasPromised = Atomic<Bool>(false)

    init(_ socket: consuming FileDescriptor) {
        self.socket = socket
    }

    func send(_ message: MonitorMessage) {
        let frame = message.frame
        sending.withLock { _ in frame.withUnsafeBytes { bytes in try? socket.sendAll(bytes) } }
    }

    /// nil at the end.
    func receive() -> ClientMessage? {
        guard let header = read(ContainerChannel.headerSize), let size = ContainerChannel.size(header), let body = read(size) else { return nil }
        return try? ClientMessage(decoding: body)
    }

    private func read(_ count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        var done = 0
        while done < count {
            let part = bytes.withUnsafeMutableBytes { buffer in
                readWhenReady(socket.raw, into: UnsafeMutableRawBufferPointer(rebasing: buffer[done...])) ?? 0
            }
            guard part > 0 else { return nil }
            done += part
        }
        return bytes
    }

    func close() { endConnection(socket.raw) }
}
