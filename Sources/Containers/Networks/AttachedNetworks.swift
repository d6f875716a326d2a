import LinuxSystem
import Networks

/// What was made for a container's networks before its monitor starts: it is the monitor's then, and ends with it.
struct AttachedNetworks: Sendable {
    /// In the order of the guest's interfaces.
    var interfaces: [Interface] = []
    /// Sockets that have the ports of the host which lead into the container.
    var ports: [BoundPort] = []

    struct Interface: Sendable {
        /// Of the guest's interface.
        var name: String
        /// Six bytes.
        var mac: [UInt8]
        /// What the guest is told; nil: what every guest assumes.
        var mtu: UInt16?
        var addresses: [InterfaceAddress]
        var gateways: [IPAddress]
        /// Where names of containers are known; empty: nowhere.
        var nameServers: [IPAddress]
        /// The host on this network; nil: not known.
        var host: IPAddress?
        /// Whether more than the host and containers is reached.
        var reachesOutside: Bool
        var tap: HostTap
    }

    final class BoundPort: Sendable {
        let file: FileDescriptor

        init(_ file: consuming FileDescriptor) {
            self.file = file
        }
    }

    /// The host, as the container reaches it.
    var host: IPAddress? { interfaces.lazy.compactMap(\.host).first }

    /// Numbers of descriptors, in the order in which the monitor gets them.
    var taps: [Int32] { interfaces.map { $0.tap.file.raw } }
    var sockets: [Int32] { ports.map { $0.file.raw } }
}
