import ArgumentParser
import LinuxSystem
import MachineProtocol

/// A stream to a port of a guest.
struct VsockConnection: ~Copyable {
    private let socket: FileDescriptor

    /// Waits until the guest has accepted. Throws what the user is to be told.
    init(to endpoint: VsockEndpoint, port: UInt32, of machine: String) throws {
        socket = try Self.open(endpoint, port, machine)
    }

    private static func open(_ endpoint: VsockEndpoint, _ port: UInt32, _ machine: String) throws -> FileDescriptor {
        do throws(Errno) {
            switch endpoint {
            case .contextID(let id): return try .connected(toContext: id, port: port)
            case .unixSocket(let path):
                let socket = try FileDescriptor.connected(toUnixSocket: path)
                try connect(socket, port)
                return socket
            }
        } catch {
            let reason = error == .connectionRefused || error == .connectionReset
                ? "refused; does a program in the guest listen there?" : "\(error)"
            throw ControlConnection.failure("\(machine), vsock port \(port): \(reason)")
        }
    }

    /// `CONNECT <port>`, answered `OK <port>` or by the end of the connection.
    private static func connect(_ socket: borrowing FileDescriptor, _ port: UInt32) throws(Errno) {
        let request = Array("CONNECT \(port)\n".utf8)
        guard request.withUnsafeBytes({ writeWhatFits(socket.raw, $0) }) == request.count else { throw .connectionReset }
        var answer: [UInt8] = []
        var byte: UInt8 = 0
        // Byte by byte: what follows the line is the guest's first word.
        while byte != UInt8(ascii: "\n") {
            let count = withUnsafeMutableBytes(of: &byte) { readWhenReady(socket.raw, into: $0) }
            guard count == 1, answer.count < 32 else { throw .connectionRefused }
            answer.append(byte)
        }
        guard answer.starts(with: "OK ".utf8) else { throw .connectionRefused }
    }

    /// Copies standard input to the guest and the guest's words to standard output, until the guest has said its last. False when
    /// the connection broke.
    borrowing func bridgeStandardStreams() throws -> Bool {
        let raw = socket.raw
        ignoreWriteSignals()
        // A thread of its own: a terminal that nobody types at must not keep the guest's words back.
        _ = try Thread(name: "vsock-input") {
            if copy(from: 0, to: raw) { try? endSending(raw) }
        }
        return copy(from: raw, to: 1)
    }
}

/// Copies until the end of input; false when reading or writing fails.
private func copy(from source: Int32, to target: Int32) -> Bool {
    withUnsafeTemporaryAllocation(byteCount: 1 << 16, alignment: 16) { buffer in
        while true {
            guard let count = readWhenReady(source, into: buffer) else { return false }
            if count == 0 { return true }
            let part = UnsafeRawBufferPointer(rebasing: buffer[..<count])
            guard writeWhatFits(target, part) == count else { return false }
        }
    }
}
