import LinuxSystem
import MachineProtocol

/// The control socket of a container's machine.
struct MachineControl: ~Copyable {
    private let socket: FileDescriptor
    private let container: String

    /// Machines answer at once; one that has not after this time never will. Seconds.
    private static let patience = 10

    /// - Parameter container: for messages.
    init(_ paths: ContainerPaths, container: String) throws(ContainerError) {
        let path = paths.runDirectory + "/" + StateFiles.control
        self.container = container
        socket = try onFile(path) { () throws(Errno) in
            let socket = try FileDescriptor.connected(toUnixSocket: path, timeout: Self.patience)
            let user = try socket.peerUser()
            guard user == CurrentProcess.user || user == 0 else { throw .accessDenied }
            return socket
        }
    }

    /// Asks for what is answered by `done`.
    func ask(_ request: ControlRequest) throws(ContainerError) {
        let frame = request.frame
        let reply: ControlReply
        do {
            guard frame.withUnsafeBytes({ writeWhatFits(socket.raw, $0) }) == frame.count else { throw Errno.current }
            guard let size = ControlFrame.size(try read(ControlFrame.headerSize)) else { throw Errno.ioError }
            reply = try ControlReply(decoding: try read(size))
        } catch {
            throw .failed("container \(container): its machine gave no answer (\(error))")
        }
        switch reply {
        case .done: return
        case .failed(let reason): throw .failed("container \(container): \(reason)")
        default: throw .failed("container \(container): its machine answered what was not asked")
        }
    }

    private func read(_ count: Int) throws(Errno) -> [UInt8] {
        var bytes: [UInt8] = []
        let raw = socket.raw
        while bytes.count < count {
            let missing = count - bytes.count
            let part = withUnsafeTemporaryAllocation(byteCount: missing, alignment: 1) { buffer in
                let size = (try? LinuxSystem.read(raw, into: buffer)) ?? 0
                return Array(buffer[..<size])
            }
            guard !part.isEmpty else { throw .ioError }
            bytes += part
        }
        return bytes
    }
}
