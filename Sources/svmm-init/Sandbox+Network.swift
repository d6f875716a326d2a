import AgentCore
import AgentProtocol

extension Sandbox {
    func configureNetwork() throws(AgentFailure) {
        let socket: RouteSocket
        do throws(Errno) {
            socket = try RouteSocket()
        } catch {
            throw AgentFailure(.failed, "rtnetlink: \(error.text)")
        }
        try socket.change("lo up") { NetlinkMessage.link(socket.index(of: "lo"), isUp: true, sequence: $0) }
        for (number, interface) in configuration.interfaces.enumerated() {
            try configure(interface, UInt32(number), socket)
        }
    }

    private func configure(_ interface: SandboxConfiguration.Interface, _ number: UInt32, _ socket: RouteSocket) throws(AgentFailure) {
        let name = interface.name
        let (found, hasAddress) = try device(interface.mac, number, for: name, socket)
        if found != name {
            // Whoever has that name now gets one that nobody asks for.
            let holder = socket.index(of: name)
            if holder != 0 {
                try socket.change("renaming \(name)") {
                    NetlinkMessage.link(holder, name: Array("svmm\(holder)".utf8), isUp: false, sequence: $0)
                }
            }
        }
        let index = socket.index(of: found)
        try socket.change("network interface \(name)") {
            NetlinkMessage.link(index, name: found == name ? nil : Array(name.utf8), mac: hasAddress ? nil : interface.mac,
                                mtu: UInt32(interface.mtu), sequence: $0)
        }
        // Duplicate detection keeps an address from being used for a second or two.
        try? writeFile("/proc/sys/net/ipv6/conf/\(name)/accept_dad", "0")
        try socket.change("\(name) up") { NetlinkMessage.link(index, isUp: true, sequence: $0) }
        for address in interface.addresses {
            try socket.change("address of \(name)") {
                NetlinkMessage.address(address.bytes, prefixLength: address.prefixLength, link: index, sequence: $0)
            }
        }
        for gateway in interface.gateways {
            try socket.change("default route of \(name)") {
                // The first interface's routes are preferred.
                NetlinkMessage.defaultRoute(gateway, link: index, metric: number == 0 ? 0 : 100 + number, sequence: $0)
            }
        }
    }

    /// The device with an address; where none has it, as in a machine from a template, the one with this number, in the order in which they
    /// were found. Other names do not change that order.
    private func device(
        _ mac: [UInt8], _ number: UInt32, for name: String, _ socket: RouteSocket
    ) throws(AgentFailure) -> (name: String, hasAddress: Bool) {
        let digits = Array("0123456789abcdef".utf8)
        let address = mac.map { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }.joined(separator: [UInt8(ascii: ":")])
        for device in names(in: "/sys/class/net") where line("/sys/class/net/\(text(device))/address").elementsEqual(address) {
            return (text(device), true)
        }
        // Others, such as lo, belong to no device.
        let real = names(in: "/sys/class/net").filter { CPath("/sys/class/net/\(text($0))/device")({ access($0, F_OK) }) == 0 }
        if real.count == configuration.interfaces.count, Int(number) < real.count {
            let ordered = real.map { (index: socket.index(of: text($0)), name: text($0)) }.sorted { $0.index < $1.index }
            return (ordered[Int(number)].name, false)
        }
        throw AgentFailure(.failed, "network interface \(name): no device has the address \(text(address))")
    }
}

/// Changes of links, addresses and routes.
private final class RouteSocket {
    private let file: Int32
    private var sequence: UInt32 = 0

    init() throws(Errno) {
        file = try descriptor(agent_netlink())
    }

    deinit { close(file) }

    /// 0 when there is none.
    func index(of name: String) -> UInt32 {
        UInt32(truncatingIfNeeded: Digits.decimal(line("/sys/class/net/\(name)/ifindex")) ?? 0)
    }

    func change(_ what: String, _ request: (UInt32) -> [UInt8]?) throws(AgentFailure) {
        sequence &+= 1
        guard let bytes = request(sequence) else { throw AgentFailure(.failed, "\(what): no such address") }
        do throws(Errno) {
            try writeAll(file, bytes)
        } catch {
            throw AgentFailure(.failed, "\(what): \(error.text)")
        }
        var answer = [UInt8](repeating: 0, count: 8192)
        let size = answer.count
        let count = answer.withUnsafeMutableBytes { buffer in retrying { recv(file, buffer.baseAddress, size, 0) } }
        guard count > 0, let code = NetlinkMessage.answer(Array(answer[..<count])) else {
            throw AgentFailure(.failed, "\(what): \(Errno.current.text)")
        }
        guard code == 0 else { throw AgentFailure(.failed, "\(what): \(Errno(code: code).text)") }
    }
}
