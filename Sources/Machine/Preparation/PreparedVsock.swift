import Devices
import LinuxSystem
import MachineProtocol
import Virtio

/// What stands behind a machine's vsock device, made before the machine starts, and used again by the next one when it restarts.
enum PreparedVsock {
    case vhost(VhostVsock)

    /// Takes the guest's address, makes the sockets.
    init(_ description: VsockDescription, state: StateDirectory?) throws(MachineError) {
        switch description.backend {
        case .user: throw MachineError("--vsock user: not yet")
        case .vhost:
            self = .vhost(try Self.openVhost(description.contextID))
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

    /// For one machine.
    func makeDevice() -> any VirtioDevice {
        switch self {
        case .vhost(let backend): VhostVsockDevice(backend)
        }
    }

    /// Removes the names of its sockets.
    func close() {
        switch self {
        case .vhost: break
        }
    }

    /// Where the host reaches the guest.
    var endpoint: VsockEndpoint {
        switch self {
        case .vhost(let backend): .contextID(backend.contextID)
        }
    }
}
