import LinuxSystem
import MachineProtocol

/// One connection to the control socket: takes requests in pieces as they come, and answers each.
final class ControlClient {
    private let descriptor: FileDescriptor
    private var received: [UInt8] = []
    private var unsent: ArraySlice<UInt8> = []
    private let handle: ControlServer.Handler
    /// Called when a reply that took its time has come.
    var hasReplied: (() -> Void)?
    /// Whether a reply is still being worked on. The client's next words wait for it.
    private(set) var isWaiting = false

    init(_ descriptor: consuming FileDescriptor, _ handle: @escaping ControlServer.Handler) throws(Errno) {
        try descriptor.setNonBlocking()
        self.descriptor = descriptor
        self.handle = handle
    }

    /// For epoll. Borrowed.
    var raw: Int32 { descriptor.raw }

    /// Whether a reply, or a part of one, waits for the client to read.
    var hasUnsent: Bool { !unsent.isEmpty }

    /// Takes what has come, and answers what is complete; false when the connection is to be ended: the client has gone, or has
    /// sent what is no request.
    func serve() -> Bool {
        do throws(Errno) {
            if hasUnsent {
                guard try send() else { return false }
                return hasUnsent ? true : try answer()
            }
            let count = try withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 4096) { buffer throws(Errno) in
                let count = try read(raw, into: UnsafeMutableRawBufferPointer(buffer))
                received += buffer[..<count]
                return count
            }
            return count > 0 ? try answer() : false
        } catch {
            return error == .again || error == .interrupted
        }
    }

    private func answer() throws(Errno) -> Bool {
        while !hasUnsent, !isWaiting, received.count >= ControlFrame.headerSize {
            guard let size = ControlFrame.size(received.prefix(ControlFrame.headerSize)) else { return false }
            let end = ControlFrame.headerSize + size
            guard received.count >= end else { return true }
            let message = Array(received[ControlFrame.headerSize..<end])
            received.removeFirst(end)
            do {
                ask(try ControlRequest(decoding: message))
            } catch {
                unsent = ControlReply.failed("not a request of this version of svmm (\(error))").frame[...]
            }
            guard try send() else { return false }
        }
        return true
    }

    private func ask(_ request: ControlRequest) {
        isWaiting = true
        var isOwnTurn = true
        handle(request) { [weak self] reply in
            // The client may have gone meanwhile.
            guard let self else { return }
            isWaiting = false
            unsent = reply.frame[...]
            if !isOwnTurn { hasReplied?() }
        }
        isOwnTurn = false
    }

    private func send() throws(Errno) -> Bool {
        guard hasUnsent else { return true }
        let bytes = unsent
        let raw = raw
        let result = bytes.withUnsafeBytes { bytes in Result { () throws(Errno) in try write(raw, bytes) } }
        do throws(Errno) {
            unsent = unsent.dropFirst(try result.get())
        } catch {
            return error == .again || error == .interrupted
        }
        return true
    }
}
