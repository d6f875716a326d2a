import Devices
import LinuxSystem
import MachineProtocol
import Virtio

/// The network devices of a machine: what is behind them, made before the machine starts, and used again by the next one when it
/// restarts. For the control thread.
final class PreparedNetwork {
    /// One device.
    struct Interface {
        /// Six bytes.
        let mac: [UInt8]
        let settings: NetworkSettings
        let backend: NetworkBackend
    }

    let interfaces: [Interface]
    private let userNetworks: [UserNetwork]

    /// Opens and starts everything.
    init(_ description: MachineDescription) throws(MachineError) {
        try Self.check(description)
        var interfaces: [Interface] = []
        var userNetworks: [UserNetwork] = []
        var waiting: [(UserNetwork, [UInt8], String)] = []
        for (index, network) in description.interfaces.enumerated() {
            let option = network.option
            let mac = network.mac ?? Self.mac(description.name, index)
            let backend: NetworkBackend
            var mtu = network.mtu
            switch network.backend {
            case .tap(let name): (backend, mtu) = try PreparedTap.open(name, network, option)
            case .descriptor(let number): (backend, mtu) = try PreparedTap.adopt(number, network, option)
            case .user(let user):
                let started = try Self.start(user, option)
                userNetworks.append(started)
                waiting.append((started, mac, option))
                backend = started.backend
                // What passt tells the guest by DHCP, too: larger frames are fewer.
                mtu = mtu ?? Self.userMTU
            }
            let settings = NetworkSettings(
                mac: mac, mtu: mtu, receiveRates: DiskRates(network.receiveLimit), transmitRates: DiskRates(network.transmitLimit),
                capture: try network.capturePath.map { (path) throws(MachineError) in try Self.capture(path, option, description) },
                vhost: try PreparedTap.vhost(network, option))
            interfaces.append(Interface(mac: mac, settings: settings, backend: backend))
        }
        // All of them start at the same time.
        for (network, mac, option) in waiting {
            if let reason = network.waitUntilReady(mac: mac) { throw MachineError("\(option): \(reason)") }
        }
        self.interfaces = interfaces
        self.userNetworks = userNetworks
    }

    /// passt's own.
    private static let userMTU: UInt16 = 65_520

    /// What no option alone can tell.
    private static func check(_ description: MachineDescription) throws(MachineError) {
        for network in description.interfaces {
            if let mac = network.mac, mac.count != NetworkDescription.macLength || mac[0] & 1 != 0 {
                throw MachineError("\(network.option): mac of \(mac.count) bytes for one station expected to have \(NetworkDescription.macLength), the first of them even", status: ExitStatus.usage)
            }
            let isWatched = network.capturePath != nil || network.receiveLimit != .init() || network.transmitLimit != .init()
            if network.vhost == .on, isWatched {
                throw MachineError("\(network.option): vhost=on with limits or pcap=, which the host's kernel does not know; expected vhost=off", status: ExitStatus.usage)
            }
        }
        let macs = description.interfaces.compactMap(\.mac)
        for (index, mac) in macs.enumerated() where macs[..<index].contains(mac) {
            throw MachineError("--net …,mac=\(NetworkDescription.text(mac: mac)): used by two interfaces, expected one of its own for each", status: ExitStatus.usage)
        }
    }

    private static func mac(_ name: String?, _ index: Int) -> [UInt8] {
        if let name { return NetworkDescription.mac(machine: name, index: index) }
        // getrandom(2) does not fail for so few bytes.
        let bytes = (try? randomBytes(NetworkDescription.macLength)) ?? [UInt8](repeating: 0, count: NetworkDescription.macLength)
        return NetworkDescription.stationAddress(bytes)
    }

    private static func start(_ user: UserNetworkDescription, _ option: String) throws(MachineError) -> UserNetwork {
        guard let path = findProgram(UserNetwork.program) else {
            throw MachineError("\(option): \(UserNetwork.program) is not in PATH, expected it for networks without root; install the package passt, or use --net tap")
        }
        do throws(Errno) {
            return try UserNetwork(user, path: path, option: option)
        } catch {
            throw MachineError("\(option): \(path): \(error)")
        }
    }

    /// Empties the file, which must be no other file of the machine.
    private static func capture(
        _ path: String, _ option: String, _ description: MachineDescription
    ) throws(MachineError) -> PacketCapture {
        let place = "\(option),pcap=\(path)"
        let reason: String
        do throws(Errno) {
            // Non-blocking, so that a FIFO is refused and not waited for; emptied only when it is known to be no other file.
            let file = try FileDescriptor.open(path, [.writeOnly, .create, .nonBlocking, .append])
            if let refusal = try refusal(file, description) {
                reason = refusal
            } else {
                try file.truncate(to: 0)
                return try PacketCapture(file, name: place)
            }
        } catch {
            reason = "\(error)"
        }
        throw MachineError("\(place): \(reason)")
    }

    /// Why a file cannot take a capture.
    private static func refusal(_ file: borrowing FileDescriptor, _ description: MachineDescription) throws(Errno) -> String? {
        let status = try file.status()
        guard status.kind == .regular else { return "expected a regular file" }
        var others = [description.kernel] + description.disks.map(\.path) + (description.initrd.map { [$0] } ?? [])
        if case .file(let console) = description.console { others.append(console) }
        for other in others where (try? fileStatus(at: other))?.identity == status.identity {
            return "the same file as \(other), expected one of its own"
        }
        // The lock of disks and consoles, and that of captures.
        let (isNoDisk, isNoCapture) = (try file.tryLock(exclusive: true), try file.tryLockWhole())
        return isNoDisk && isNoCapture ? nil : "in use by another capture or machine, expected a file of its own"
    }

    /// For one machine: loops for device `index`, one for each pair of queues.
    func makeDevice(_ index: Int, loops: [EventLoop]) throws(Errno) -> any VirtioDevice {
        try NetworkDevice(interfaces[index].settings, backend: interfaces[index].backend, loops: loops)
    }

    /// Pulls or puts in a cable. The reason when there is none, a line for the user.
    func setLink(_ index: Int, up: Bool) -> String? {
        guard interfaces.indices.contains(index) else {
            let count = interfaces.count
            return "interface \(index): the machine has \(count == 0 ? "no network interfaces" : "interfaces 0 to \(count - 1)"), in the order of --net"
        }
        interfaces[index].backend.setLink(up: up)
        return nil
    }

    /// Watches what may end, on the control loop.
    func supervise(on loop: EventLoop) throws(Errno) {
        for network in userNetworks { try network.supervise(on: loop) }
    }

    /// Ends what was started.
    func close() {
        for network in userNetworks { network.stop() }
    }
}

extension DiskRates {
    fileprivate init(_ limit: NetworkDescription.RateLimit) {
        self.init(requests: limit.packets.map { Rate(perSecond: $0) }, bytes: limit.bits.map { Rate(perSecond: max($0 / 8, 1)) })
    }
}

extension NetworkDescription {
    /// For messages: the option as far as it tells one interface from another.
    var option: String {
        switch backend {
        case .tap(let name): "--net tap" + (name.map { "=" + $0 } ?? "")
        case .user: "--net user"
        case .descriptor(let number): "--net fd=\(number)"
        }
    }

    static func text(mac: [UInt8]) -> String {
        mac.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: ":")
    }
}
