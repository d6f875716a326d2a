import LinuxSystem
import MachineProtocol

/// One connection to the control socket: takes requests in pieces as they come, and answers each.
final class ControlClient {
    private let descriptor: FileDescriptor
    private var received: [UInt8] = []
    private let handle: (ControlRequest) -> ControlReply

    init(_ descriptor: consuming FileDescriptor, _ handle: @escaping (ControlRequest) -> ControlReply) throws(Errno) {
        try descriptor.setNonBlocking()
        self.descriptor = descriptor
        self.handle = handle
    }

    /// For epoll. Borrowed.
    var raw: Int32 { descriptor.raw }

    /// Takes what has come, and answers what is complete; false when the connection is to be ended: the client has gone, has
    /// sent what is no request, or does not read its replies.
    func takeInput() -> Bool {
        do throws(Errno) {
            let count = try withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 4096) { buffer throws(Errno) in
                let count = try read(raw, into: UnsafeMutableRawBufferPointer(buffer))
                received += buffer[..<count]
                return count
            }
            return count > 0 && answer()
        } catch {
            return error == .again || error == .interrupted
        }
    }

    private func answer() -> Bool {
        while received.count >= ControlFrame.headerSize {
            guard let size = ControlFrame.size(received.prefix(ControlFrame.headerSize)) else { return false }
            let end = ControlFrame.headerSize + size
            guard received.count >= end else { return true }
            let message = Array(received[ControlFrame.headerSize..<end])
            received.removeFirst(end)
            let reply: ControlReply
            do {
                reply = handle(try ControlRequest(decoding: message))
            } catch {
                reply = .failed("not a request of this version of svmm (\(error))")
            }
            let frame = reply.frame
            // A reply that does not fit the socket's buffer is not waited for: the control loop has other duties.
            guard frame.withUnsafeBytes({ (try? write(raw, $0)) ?? 0 }) == frame.count else { return false }
        }
        return true
    }
}
