import Devices
import LinuxSystem
import MachineProtocol

/// TAP interfaces and inherited descriptors, opened and checked.
enum PreparedTap {
    typealias Opened = (backend: NetworkBackend, mtu: UInt16?)

    /// Makes or takes an interface; the MTU that the guest is to be told, nil for the usual one.
    static func open(_ name: String?, _ network: NetworkDescription, _ option: String) throws(MachineError) -> Opened {
        let isNew = name.map { !NetworkInterface.exists($0) } ?? true
        let isMultiQueue = network.queueCount > 1
        do throws(Errno) {
            let first = try TapQueue(name: name ?? "", isMultiQueue: isMultiQueue)
            let interface = try NetworkInterface(first.name)
            let found = first.name
            if isNew, let mtu = network.mtu { try interface.setMTU(Int(mtu)) }
            do throws(Errno) {
                try interface.bringUp()
            } catch {
                // One that somebody else has made is theirs to bring up.
                if isNew { throw error }
            }
            let mtu = try guestMTU(network, interface)
            let offloads = probe(first)
            var ports = [NetworkPort(first)]
            while ports.count < network.queueCount { ports.append(NetworkPort(try TapQueue(name: found, isMultiQueue: true))) }
            return (NetworkBackend(name: option, ports: ports, offloads: offloads), mtu)
        } catch {
            let reason = switch error {
            case .notPermitted, .accessDenied:
                isNew ? "\(error); root may make an interface, others use one that was made for them (ip tuntap add NAME mode tap user USER), or --net user"
                    : "\(error); the interface belongs to another user"
            case .busy: "in use by another program, expected an interface of its own"
            case .invalidArgument where !isNew:
                "not a TAP interface made for \(isMultiQueue ? "several queues" : "one queue"), expected one that ip tuntap add … mode tap \(isMultiQueue ? "multi_queue " : "")has made, or \(isMultiQueue ? "queues=1" : "queues=2")"
            case .noEntry, .noDevice: "\(TapQueue.path): \(error); load the module (modprobe tun)"
            default: "\(error)"
            }
            throw MachineError("\(option): \(reason)")
        }
    }

    /// Takes a descriptor over that the process was started with.
    static func adopt(_ number: Int32, _ network: NetworkDescription, _ option: String) throws(MachineError) -> Opened {
        let file: FileDescriptor
        do throws(Errno) {
            guard number > 2 else { throw .badDescriptor }
            // The number itself stays open, which costs nothing, but is not for programs that are started from here.
            file = try FileDescriptor.duplicate(of: number)
            setCloseOnExec(number)
        } catch {
            throw MachineError("\(option): \(error); expected a descriptor above 2 that svmm was started with")
        }
        do throws(Errno) {
            if try file.status().kind == .socket {
                guard isConnected(file.raw) else { throw .notConnected }
                return (NetworkBackend(name: option, ports: [try NetworkPort(socket: file)]), network.mtu)
            }
            let tap = try TapQueue(file)
            let mtu = try guestMTU(network, try NetworkInterface(tap.name))
            let offloads = tap.hasHeader ? probe(tap) : []
            return (NetworkBackend(name: option, ports: [NetworkPort(tap)], offloads: offloads), mtu)
        } catch {
            throw MachineError("\(option): \(error); expected a TAP with IFF_NO_PI, or a connected stream or seqpacket socket")
        }
    }

    /// What the guest is told of an interface; nil where it is what every guest assumes.
    private static func guestMTU(
        _ network: NetworkDescription, _ interface: borrowing NetworkInterface
    ) throws(Errno) -> UInt16? {
        if let mtu = network.mtu { return mtu }
        let mtu = try interface.mtu()
        return mtu == 1500 ? nil : UInt16(clamping: mtu)
    }

    /// What this kernel can leave to the guest, and do for it.
    private static func probe(_ tap: borrowing TapQueue) -> TapOffloads {
        let usual: TapOffloads = [.checksum, .tso4, .tso6, .ecn]
        let choices: [TapOffloads] = [usual.union(.ufo), usual, .checksum]
        for offloads in choices where (try? tap.setOffloads(offloads)) != nil { return offloads }
        return []
    }

    /// The kernel's own server of queues, where it is wanted and there.
    static func vhost(_ network: NetworkDescription, _ option: String) throws(MachineError) -> VhostNetNode? {
        let isWatched = network.capturePath != nil || network.receiveLimit != .init() || network.transmitLimit != .init()
        switch (network.backend, network.vhost) {
        case (.user, _), (_, .off): return nil
        case (_, .automatic): return isWatched ? nil : try? VhostNetNode()
        case (_, .on):
            do throws(Errno) {
                return try VhostNetNode()
            } catch {
                throw MachineError("\(option),vhost=on: \(VhostNetNode.path): \(error); load the module (modprobe vhost_net), or use vhost=auto")
            }
        }
    }
}
