import Glibc
import LinuxSystem
import TestSupport

/// A name server at 127.0.0.1 of the calling thread's network namespace that gives every name one address, until it has been asked
/// a name of its own: see `stop`.
final class NameServer: Sendable {
    private let finished = Gate()
    private let end: EventNotifier

    init(address: [UInt8]) throws {
        let file = FileDescriptor(owning: socket(AF_INET, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0))
        var own = sockaddr_in()
        own.sin_family = sa_family_t(AF_INET)
        own.sin_port = UInt16(53).bigEndian
        own.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let raw = file.raw
        let result = withUnsafePointer(to: &own) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(raw, $0, size) }
        }
        guard result == 0 else { throw Errno.current }
        let end = try EventNotifier()
        self.end = end
        let released = file.release()
        _ = try Thread(name: "name-server") { [finished] in
            let file = FileDescriptor(owning: released)
            while waitForInput(end.raw, or: file.raw, within: -1) == 1 { Self.answer(file.raw, address) }
            finished.open()
        }
    }

    func stop() {
        end.signal()
        finished.wait()
    }

    /// Answers one question (RFC 1035, 4.1): an A record, or no record for other types.
    private static func answer(_ raw: Int32, _ address: [UInt8]) {
        var bytes = [UInt8](repeating: 0, count: 512)
        var peer = sockaddr_in()
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &peer) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { peer in
                let count = recvfrom(raw, &bytes, bytes.count, 0, peer, &size)
                guard count > 16, let end = bytes[12..<count].firstIndex(of: 0), end + 5 <= count else { return }
                let isAddress = bytes[end + 1] == 0 && bytes[end + 2] == 1
                var reply = Array(bytes[..<(end + 5)])
                reply[2...11] = [0x81, 0x80, 0, 1, 0, isAddress ? 1 : 0, 0, 0, 0, 0]
                if isAddress { reply += [0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4] + address }
                _ = sendto(raw, reply, reply.count, 0, peer, size)
            }
        }
    }
}
