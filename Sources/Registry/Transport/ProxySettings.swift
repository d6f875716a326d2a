import AsyncHTTPClient
import FoundationEssentials
import LinuxSystem

/// Which proxy a request goes through: http_proxy, https_proxy and no_proxy as curl and Go's programs read them.
struct ProxySettings: Sendable {
    private let http: HTTPClient.Configuration.Proxy?
    private let https: HTTPClient.Configuration.Proxy?
    private let exceptions: [Substring]

    static let none = ProxySettings { _ in nil }

    /// What is not a proxy's address is passed over. HTTP_PROXY in capitals is not read: a web server sets it from a header.
    init(variable: (String) -> String?) {
        http = variable("http_proxy").flatMap(Self.proxy)
        https = (variable("https_proxy") ?? variable("HTTPS_PROXY")).flatMap(Self.proxy)
        let list = variable("no_proxy") ?? variable("NO_PROXY") ?? ""
        exceptions = list.lowercased().split { $0 == "," || $0 == " " }
    }

    /// The proxy for a server; nil for none.
    func proxy(for origin: Origin) -> HTTPClient.Configuration.Proxy? {
        guard let proxy = origin.scheme == .https ? https : http, !origin.isLocal, !isException(origin) else { return nil }
        return proxy
    }

    private func isException(_ origin: Origin) -> Bool {
        exceptions.contains { exception in
            if exception == "*" { return true }
            var name = exception
            if let colon = name.lastIndex(of: ":"), name.firstIndex(of: ":") == colon {
                guard Int(name[name.index(after: colon)...]) == origin.port else { return false }
                name = name[..<colon]
            }
            while name.hasPrefix(".") || name.hasPrefix("*.") { name = name.dropFirst(name.hasPrefix(".") ? 1 : 2) }
            return !name.isEmpty && (origin.host == name || origin.host.hasSuffix(".\(name)"))
        }
    }

    private static func proxy(_ text: String) -> HTTPClient.Configuration.Proxy? {
        let text = text.contains("://") ? text : "http://\(text)"
        guard let url = URL(string: text), let host = url.host(), !host.isEmpty else { return nil }
        switch url.scheme?.lowercased() {
        case "http":
            let authorization = url.user().map { HTTPClient.Authorization.basic(username: $0, password: url.password() ?? "") }
            return .server(host: host, port: url.port ?? 80, authorization: authorization)
        case "socks5", "socks5h":
            return .socksServer(host: host, port: url.port ?? 1080)
        default:
            return nil
        }
    }
}
