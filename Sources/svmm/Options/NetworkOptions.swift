import CommandSupport
import MachineProtocol

extension NetworkDescription {
    private static let forms = "tap[=NAME], user, fd=N or none"

    /// `--net tap[=NAME]|user|fd=N[,WORD]…`; nil for `none`.
    static func parse(_ argument: String) throws(Expected) -> NetworkDescription? {
        let words = argument.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        guard let first = words.first else { throw Expected(forms) }
        if argument == "none" { return nil }
        let backend: Backend
        switch first {
        case "tap": backend = .tap(name: nil)
        case "user": backend = .user(UserNetworkDescription())
        default:
            if let name = value(first, "tap") {
                backend = .tap(name: try interfaceName(name))
            } else if let descriptor = value(first, "fd") {
                backend = .descriptor(try number(descriptor, in: 3...Int32.max, unit: " after fd="))
            } else {
                throw Expected("\(forms), found '\(first)'")
            }
        }
        var description = NetworkDescription(backend)
        for word in words.dropFirst() { try description.take(word) }
        return description
    }

    private mutating func take(_ word: String) throws(Expected) {
        if let text = Self.value(word, "mac") {
            mac = try Self.mac(parsing: text)
        } else if let text = Self.value(word, "mtu") {
            mtu = try number(text, in: Self.mtus, unit: " after mtu=")
        } else if let text = Self.value(word, "pcap") {
            capturePath = text
        } else if let text = Self.value(word, "rx-bps") {
            receiveLimit.bits = try Self.rate(text)
        } else if let text = Self.value(word, "tx-bps") {
            transmitLimit.bits = try Self.rate(text)
        } else if let text = Self.value(word, "rx-pps") {
            receiveLimit.packets = try Self.rate(text)
        } else if let text = Self.value(word, "tx-pps") {
            transmitLimit.packets = try Self.rate(text)
        } else if case .tap = backend, let text = Self.value(word, "queues") {
            queueCount = try number(text, in: Self.queueCounts, unit: " after queues=")
        } else if case .user = backend {
            try takeUserWord(word)
        } else if let choice = Self.value(word, "vhost").flatMap({ Self.vhosts[$0] }) {
            vhost = choice
        } else {
            throw Expected("\(Self.words(backend)), found '\(word)'")
        }
    }

    private mutating func takeUserWord(_ word: String) throws(Expected) {
        guard case .user(var user) = backend else { return }
        if let text = Self.value(word, "publish") {
            user.published.append(try PublishedPort(parsing: text))
        } else if word == "host-loopback" {
            user.reachesHost = true
        } else {
            throw Expected("\(Self.words(backend)), found '\(word)'")
        }
        backend = .user(user)
    }

    private static let vhosts: [String: Vhost] = ["on": .on, "off": .off, "auto": .automatic]

    private static func words(_ backend: Backend) -> String {
        let own = switch backend {
        case .tap: "queues=N, vhost=on|auto|off, "
        case .user: "publish=[ADDRESS:]HOST:GUEST[/udp], host-loopback, "
        case .descriptor: "vhost=on|auto|off, "
        }
        return own + "mac=XX:XX:XX:XX:XX:XX, mtu=N, rx-bps=N, tx-bps=N, rx-pps=N, tx-pps=N or pcap=PATH"
    }

    /// What stands behind `name=`, if it is that and not empty.
    private static func value(_ word: String, _ name: String) -> String? {
        word.hasPrefix(name + "=") && word.utf8.count > name.utf8.count + 1 ? String(word.dropFirst(name.count + 1)) : nil
    }

    private static func interfaceName(_ name: String) throws(Expected) -> String {
        // As dev_valid_name in the kernel has it, and no pattern for several.
        let isPlain = name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && !"/:%".utf8.contains($0) }
        guard isPlain, interfaceNameLengths.contains(name.utf8.count), name != ".", name != ".." else {
            throw Expected("an interface's name of 1 to 15 printable characters without / : and %, found '\(name)'")
        }
        return name
    }

    private static func mac(parsing text: String) throws(Expected) -> [UInt8] {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        let bytes = parts.compactMap { $0.utf8.count == 2 && $0.allSatisfy(\.isHexDigit) ? UInt8($0, radix: 16) : nil }
        guard parts.count == macLength, bytes.count == macLength, bytes[0] & 1 == 0, bytes.contains(where: { $0 != 0 }) else {
            throw Expected("mac=XX:XX:XX:XX:XX:XX, the address of one station (the first byte even), found '\(text)'")
        }
        return bytes
    }

    /// A number in a second, with K, M or G for thousands, millions and milliards.
    private static func rate(_ text: String) throws(Expected) -> UInt64 {
        let expected = Expected("a number of at least 1 in a second, also with K, M or G (1000, 1000000, …), found '\(text)'")
        let digits = text.prefix { ("0"..."9").contains($0) }
        let units: [String: UInt64] = ["": 1, "K": 1000, "M": 1_000_000, "G": 1_000_000_000]
        guard let number = UInt64(digits), let unit = units[text.dropFirst(digits.count).uppercased()] else { throw expected }
        let (rate, overflow) = number.multipliedReportingOverflow(by: unit)
        guard !overflow, rate > 0 else { throw expected }
        return rate
    }
}

extension PublishedPort {
    /// `[ADDRESS:]HOST:GUEST[/tcp|/udp]`; an IPv6 address stands in brackets.
    init(parsing argument: String) throws(Expected) {
        let expected = Expected("[ADDRESS:]HOST:GUEST[/tcp|/udp] with ports from 1 to 65535, found '\(argument)'")
        let halves = argument.split(separator: "/", omittingEmptySubsequences: false)
        let transports: [Substring: Transport] = ["tcp": .tcp, "udp": .udp]
        guard halves.count <= 2, let transport = halves.count == 2 ? transports[halves[1]] : .tcp else { throw expected }
        let parts = halves[0].split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count >= 2, let host = UInt16(parts[parts.count - 2]), host > 0, let guest = UInt16(parts[parts.count - 1]),
              guest > 0 else { throw expected }
        var address = parts.dropLast(2).joined(separator: ":")
        if address.hasPrefix("["), address.hasSuffix("]") {
            address = String(address.dropFirst().dropLast())
        } else if parts.count > 3 {
            throw expected
        }
        // Goes into an argument of passt: nothing but an address may be in it.
        guard address.utf8.allSatisfy({ "0123456789abcdefABCDEF.:".utf8.contains($0) }), parts.count == 2 || !address.isEmpty
        else { throw expected }
        self.init(address: parts.count == 2 ? nil : address, host: host, guest: guest, transport: transport)
    }
}

extension [NetworkDescription] {
    /// What several `--net` and `--publish` make together. Throws a line for the user.
    static func combine(_ options: [NetworkDescription?], published: [PublishedPort]) throws(Expected) -> [NetworkDescription] {
        var networks = options.compactMap { $0 }
        guard networks.count == options.count || options.count == 1 else {
            throw Expected("--net none alone, or none of it")
        }
        guard !published.isEmpty else { return networks }
        // Published ports bring the network with them.
        if options.isEmpty { networks = [NetworkDescription(.user(UserNetworkDescription()))] }
        for (index, network) in networks.enumerated() {
            guard case .user(var user) = network.backend else { continue }
            user.published += published
            networks[index].backend = .user(user)
            return networks
        }
        throw Expected("--net user for --publish, found other networks only")
    }
}
