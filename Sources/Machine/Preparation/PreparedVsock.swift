import Devices
import LinuxSystem
import MachineProtocol
import Virtio

/// What stands behind a machine's vsock device, made before the machine starts, and used again by the next one when it restarts.
enum PreparedVsock {
    case user(VsockListeners, contextID: UInt32)
    case vhost(VhostVsock)

    /// Takes the guest's address, makes the sockets.
    init(_ description: VsockDescription, state: StateDirectory?) throws(MachineError) {
        if let id = description.contextID, !VsockDescription.contextIDs.contains(id) {
            throw MachineError("--vsock cid=\(id): expected \(VsockDescription.contextIDs.lowerBound) to \(VsockDescription.contextIDs.upperBound)", status: ExitStatus.usage)
        }
        switch description.backend {
        case .user(let path):
            let id = description.contextID ?? VsockDescription.contextIDs.lowerBound
            self = .user(try Self.listen(path, description.forwardedPorts, state), contextID: id)
        case .vhost:
            self = .vhost(try Self.openVhost(description.contextID))
        }
    }

    private static func listen(
        _ path: String?, _ ports: [UInt32], _ state: StateDirectory?
    ) throws(MachineError) -> VsockListeners {
        guard let connectPath = path ?? state?.file(StateFiles.vsock) else {
            throw MachineError("--vsock user: expected path=PATH, or --name or --state for a place to have the sockets in", status: ExitStatus.usage)
        }
        guard ports.isEmpty || state != nil else {
            throw MachineError("--vsock-ports: expected --name or --state for a place to have the sockets in", status: ExitStatus.usage)
        }
        let direct = ports.compactMap { port in
            state.map { VsockListeners.DirectPort(path: $0.file(StateFiles.forwardedPort(port)), guestPort: port) }
        }
        do throws(VsockListenerError) {
            return try VsockListeners(connectPath: connectPath, directPorts: direct)
        } catch {
            throw MachineError("--vsock user: \(error)")
        }
    }

    private static func openVhost(_ contextID: UInt32?) throws(MachineError) -> VhostVsock {
        do throws(Errno) {
            return try VhostVsock(contextID: contextID, among: VsockDescription.contextIDs)
        } catch {
            if error == .addressInUse, let contextID {
                throw MachineError("--vsock vhost,cid=\(contextID): used by another virtual machine, expected an address of its own; without cid= svmm finds one")
            }
            throw MachineError("--vsock vhost: \(VhostVsock.path): \(error); load the module (modprobe vhost_vsock), or use --vsock user")
        }
    }

    /// For one machine, on a loop of its own.
    func makeDevice(loop: EventLoop) throws(Errno) -> any VirtioDevice {
        switch self {
        case .user(let listeners, let contextID):
            try VsockDevice(guestCID: UInt64(contextID), host: listeners, loop: loop)
        case .vhost(let backend): VhostVsockDevice(backend)
        }
    }

    /// Removes the names of its sockets.
    func close() {
        switch self {
        case .user(let listeners, _): listeners.removeNames()
        case .vhost: break
        }
    }

    /// What the guest's connections to port P arrive at, with `_P` behind it; nil where they go to the host's kernel.
    var listenPath: String? {
        switch self {
        case .user(let listeners, _): listeners.connectPath
        case .vhost: nil
        }
    }

    /// Where the host reaches the guest; nil when another guest has taken its address while it restarted.
    var endpoint: VsockEndpoint? {
        switch self {
        case .user(let listeners, _): .unixSocket(listeners.connectPath ?? "")
        case .vhost(let backend): backend.isReachable ? .contextID(backend.contextID) : nil
        }
    }
}
