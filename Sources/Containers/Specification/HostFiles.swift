import LinuxSystem

/// What the host knows of name servers.
struct ResolverConfiguration: Sendable, Equatable {
    var servers: [String] = []
    var domains: [String] = []
    var options: [String] = []

    static let none = ResolverConfiguration(parsing: "")

    /// resolv.conf(5).
    init(parsing text: String) {
        for line in text.split(separator: "\n") {
            let words = line.split(whereSeparator: \.isWhitespace).map(String.init)
            switch words.first {
            case "nameserver": servers += words.dropFirst().prefix(1)
            case "search", "domain": domains = Array(words.dropFirst())
            case "options": options += words.dropFirst()
            default: continue
            }
        }
    }

    /// The host's own, as far as the container reaches its servers: by IPv4, and none on the host's loopback interface.
    static func host() -> ResolverConfiguration {
        var own = ResolverConfiguration(parsing: String(decoding: contents(ofSmallFile: "/etc/resolv.conf") ?? [], as: UTF8.self))
        // With one of those among them the order would be wrong: then the user network's resolver asks the first.
        if own.servers.contains(where: isLoopback) { own.servers = [] }
        own.servers.removeAll { $0.contains(":") }
        return own
    }

    /// As `host`, for who does not reach the host's loopback interface at all: behind a server there is the list of those that it asks.
    static func reachable() -> ResolverConfiguration {
        var own = host()
        guard own.servers.isEmpty else { return own }
        let text = String(decoding: contents(ofSmallFile: "/run/systemd/resolve/resolv.conf") ?? [], as: UTF8.self)
        own.servers = ResolverConfiguration(parsing: text).servers.filter { !isLoopback($0) }
        return own
    }

    private static func isLoopback(_ address: String) -> Bool { address.hasPrefix("127.") || address == "::1" }
}

/// Files of a container that are svmm's.
enum HostFiles {
    /// The names of the host.
    static let hostNames = ["host.svmm.internal", "host.containers.internal"]

    static func hosts(_ record: ContainerRecord, _ surroundings: NetworkSurroundings) -> String {
        let configuration = record.configuration
        var lines = configuration.hosts.compactMap { entry in
            (entry.address ?? surroundings.gateway).map { "\($0)\t\(entry.name)" }
        }
        lines += [
            "127.0.0.1\tlocalhost localhost.localdomain localhost4 localhost4.localdomain4",
            "::1\tlocalhost localhost.localdomain localhost6 localhost6.localdomain6",
        ]
        let names = ([configuration.hostname] + (record.name == configuration.hostname ? [] : [record.name])).joined(separator: " ")
        if let host = surroundings.host { lines.append("\(host)\t\(hostNames.joined(separator: " "))") }
        let own = surroundings.interfaces.flatMap(\.addresses).map(\.address.description)
        lines += (configuration.address.map { [$0] } ?? (own.isEmpty ? ["127.0.1.1"] : own)).map { "\($0)\t\(names)" }
        return lines.joined(separator: "\n") + "\n"
    }

    static func resolver(_ configuration: ContainerConfiguration, _ surroundings: NetworkSurroundings) -> String {
        guard configuration.network != .none else { return "" }
        let host = surroundings.resolver
        let servers = configuration.dnsServers.isEmpty ? surroundings.servers : configuration.dnsServers
        let domains = configuration.dnsDomains.isEmpty ? host.domains : configuration.dnsDomains.filter { $0 != "." }
        let options = configuration.dnsOptions.isEmpty ? host.options : configuration.dnsOptions
        var lines: [String] = []
        if !domains.isEmpty { lines.append("search " + domains.joined(separator: " ")) }
        lines += servers.map { "nameserver \($0)" }
        if !options.isEmpty { lines.append("options " + options.joined(separator: " ")) }
        return lines.joined(separator: "\n") + "\n"
    }
}
