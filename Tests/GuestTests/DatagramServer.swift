import Glibc
import LinuxSystem
import TestSupport

/// Answers datagrams that come to a port of the calling thread's network namespace, until `stop`.
final class DatagramServer: Sendable {
    private static let datagramLimit = 1 << 16

    private let finished = Gate()
    private let end: EventNotifier

    /// - Parameters:
    ///   - address: of IPv4; 0: all.
    ///   - answer: what is sent back for a datagram; nil: nothing. On the server's thread.
    init(address: UInt32 = 0, port: UInt16, answer: @escaping @Sendable (ArraySlice<UInt8>) -> [UInt8]?) throws {
        let file = FileDescriptor(owning: socket(AF_INET, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0))
        var own = sockaddr_in()
        own.sin_family = sa_family_t(AF_INET)
        own.sin_port = port.bigEndian
        own.sin_addr.s_addr = address.bigEndian
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let raw = file.raw
        let result = withUnsafePointer(to: &own) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(raw, $0, size) }
        }
        guard result == 0 else { throw Errno.current }
        let end = try EventNotifier()
        self.end = end
        let released = file.release()
        _ = try Thread(name: "datagrams") { [finished] in
            let file = FileDescriptor(owning: released)
            while waitForInput(end.raw, or: file.raw, within: -1) == 1 { Self.serve(file.raw, answer) }
            finished.open()
        }
    }

    func stop() {
        end.signal()
        finished.wait()
    }

    private static func serve(_ raw: Int32, _ answer: (ArraySlice<UInt8>) -> [UInt8]?) {
        var bytes = [UInt8](repeating: 0, count: datagramLimit)
        var peer = sockaddr_in()
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &peer) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { peer in
                let count = recvfrom(raw, &bytes, bytes.count, 0, peer, &size)
                guard count > 0, let reply = answer(bytes[..<count]) else { return }
                _ = sendto(raw, reply, reply.count, 0, peer, size)
            }
        }
    }
}
