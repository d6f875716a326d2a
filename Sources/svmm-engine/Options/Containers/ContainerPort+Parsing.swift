import CommandSupport
import Containers

extension ContainerPort {
    private static let maximumRange = 1024

    /// `--publish [[ADDRESS:][HOST]:]CONTAINER[/tcp|/udp]`, where HOST and CONTAINER may be ranges of the same length. An IPv6 address
    /// stands in brackets.
    static func parse(_ text: String) throws(Expected) -> [ContainerPort] {
        let failure = Expected("[[ADDRESS:][HOST]:]CONTAINER[/tcp|/udp] with ports from 1 to 65535, found '\(text)'")
        let halves = text.split(separator: "/", omittingEmptySubsequences: false)
        let transports: [Substring: Transport] = ["tcp": .tcp, "udp": .udp]
        guard halves.count <= 2, let transport = halves.count == 2 ? transports[halves[1]] : .tcp else { throw failure }
        var rest = halves[0]
        var address: String?
        if rest.hasPrefix("[") {
            guard let end = rest.firstIndex(of: "]"), rest[rest.index(after: end)...].hasPrefix(":") else { throw failure }
            address = String(rest[rest.index(after: rest.startIndex)..<end])
            rest = rest[rest.index(end, offsetBy: 2)...]
        }
        var parts = rest.split(separator: ":", omittingEmptySubsequences: false)
        if address == nil, parts.count == 3 { address = String(parts.removeFirst()) }
        guard (1...2).contains(parts.count), let container = range(parts[parts.count - 1]) else { throw failure }
        // Goes into an argument of passt: nothing but an address may be in it.
        guard address.map(HostEntry.isAddress) ?? true else {
            throw Expected("an IPv4 address, or an IPv6 address in brackets, before the port of the host, found '\(text)'")
        }
        guard parts.count == 2, !parts[0].isEmpty else {
            return container.map { ContainerPort(address: address, host: 0, container: $0, transport: transport) }
        }
        guard let host = range(parts[0]) else { throw failure }
        guard host.count == container.count else {
            throw Expected("ranges of the same length, found \(host.count) ports of the host for \(container.count) of the container")
        }
        return zip(host, container).map { ContainerPort(address: address, host: $0, container: $1, transport: transport) }
    }

    private static func range(_ text: Substring) -> ClosedRange<UInt16>? {
        let ends = text.split(separator: "-", omittingEmptySubsequences: false)
        let numbers = ends.compactMap { end in end.utf8.allSatisfy { (48...57).contains($0) } ? UInt16(end) : nil }
        guard (1...2).contains(ends.count), numbers.count == ends.count, let first = numbers.first, let last = numbers.last, first > 0,
              first <= last, Int(last - first) < maximumRange else { return nil }
        return first...last
    }
}

extension HostEntry {
    /// `--add-host NAME:ADDRESS`, also `NAME:host-gateway`; several names with `;` between them.
    static func parse(_ text: String) throws(Expected) -> [HostEntry] {
        let failure = Expected("NAME:ADDRESS or NAME:host-gateway, found '\(text)'")
        guard let colon = text.firstIndex(of: ":") else { throw failure }
        let names = text[..<colon].split(separator: ";", omittingEmptySubsequences: false)
        var address = String(text[text.index(after: colon)...])
        if address.hasPrefix("["), address.hasSuffix("]") { address = String(address.dropFirst().dropLast()) }
        let isName = names.allSatisfy { name in
            !name.isEmpty && name.utf8.allSatisfy { byte in
                (48...57).contains(byte) || (97...122).contains(byte) || (65...90).contains(byte) || "._-".utf8.contains(byte)
            }
        }
        guard isName, address == "host-gateway" || isAddress(address) else { throw failure }
        return names.map { HostEntry(name: String($0), address: address == "host-gateway" ? nil : address) }
    }

    static func isAddress(_ text: String) -> Bool {
        InternetAddress.version4(text) != nil || InternetAddress.isVersion6(text)
    }
}
