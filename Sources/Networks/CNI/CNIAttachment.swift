import LinuxSystem

/// A container on a network of the host's CNI plugins: in a network namespace of its own, which `NetworkNamespace` puts a guest into.
public struct CNIAttachment: Sendable {
    let configuration: CNIConfiguration
    /// Of the container.
    let identifier: String
    /// Name of the namespace, for ip-netns(8).
    let namespace: String
    let ports: [CNIPort]
    /// What the plugins have said last; nil: they were not asked, or not to the end.
    var result: JSONDocument?

    static let interface = "eth0"
    private static let variables = "/usr/lib/cni:/opt/cni/bin:/usr/libexec/cni"

    /// - Parameters:
    ///   - network: its name in /etc/cni/net.d.
    ///   - namespace: a name that nobody else uses.
    public init(network: String, identifier: String, namespace: String, ports: [CNIPort]) throws(NetworkError) {
        configuration = try CNIConfiguration.find(network)
        (self.identifier, self.namespace, self.ports) = (identifier, namespace, ports)
        guard ports.isEmpty || configuration.publishesPorts else {
            throw NetworkError("--publish with --network cni:\(network): none of its plugins has the capability portMappings, expected one, such as portmap")
        }
    }

    public var path: String { "/run/netns/\(namespace)" }

    /// Name servers that the plugins name.
    public var nameServers: [IPAddress] { result?["dns"]?["nameservers"]?.array?.compactMap { $0.string.flatMap { IPAddress($0) } } ?? [] }

    /// Has the plugins make what they make. What an attempt has left that failed is for `delete`.
    public mutating func add() throws(NetworkError) {
        try HostProgram("ip").check(["netns", "add", namespace], for: "network namespace \(namespace)")
        try SystemNetworkHost.raise(path)
        var previous: JSONDocument?
        for plugin in configuration.plugins {
            let output = try run("ADD", plugin, previous)
            guard let said = JSONDocument(parsing: output.utf8) else {
                throw NetworkError("CNI plugin \(plugin["type"]?.string ?? ""): printed no JSON, expected its result")
            }
            previous = said
        }
        result = previous
    }

    /// Has the plugins undo it, in the other order, and removes the namespace. The first that goes wrong is thrown, when all has been tried.
    public func delete() throws(NetworkError) {
        var failure: NetworkError?
        for plugin in configuration.plugins.reversed() {
            do throws(NetworkError) { _ = try run("DEL", plugin, result) } catch { failure = failure ?? error }
        }
        if (try? fileStatus(at: path)) != nil { try HostProgram("ip").check(["netns", "delete", namespace], for: "network namespace \(namespace)") }
        if let failure { throw failure }
    }

    private func run(_ command: String, _ plugin: [String: JSONDocument], _ previous: JSONDocument?) throws(NetworkError) -> String {
        let type = plugin["type"]?.string ?? ""
        guard let program = Self.variables.split(separator: ":").map({ "\($0)/\(type)" }).first(where: isExecutable) else {
            throw NetworkError("CNI plugin \(type): in none of \(Self.variables), expected it there; install the Debian package containernetworking-plugins")
        }
        // env(1) gives it the variables of section 2.
        let arguments = [
            "CNI_COMMAND=\(command)", "CNI_CONTAINERID=\(identifier)", "CNI_NETNS=\(path)", "CNI_IFNAME=\(Self.interface)",
            "CNI_PATH=\(Self.variables)", program,
        ]
        let input = configuration.input(plugin, ports: ports, previous: previous)
        let result = try HostProgram("env").run(arguments, input: input.text)
        guard result.status == 0 else {
            let error = JSONDocument(parsing: result.output)
            let words = [error?["msg"]?.string, error?["details"]?.string].compactMap { $0 }.filter { !$0.isEmpty }.joined(separator: ": ")
            throw NetworkError("CNI plugin \(type) (\(command)): \(words.isEmpty ? result.complaint : words)")
        }
        return String(decoding: result.output, as: UTF8.self)
    }
}

extension CNIAttachment {
    /// What `delete` needs, also when the host's configuration is another one by then.
    public var saved: String {
        JSONDocument.object([
            "configuration": configuration.document, "identifier": .string(identifier), "namespace": .string(namespace),
            "ports": .array(ports.map(\.document)), "result": result ?? .null,
        ]).text
    }

    /// nil for what is not from `saved`.
    public init?(saved text: String) {
        guard let document = JSONDocument(parsing: text.utf8), let kept = document["configuration"].flatMap(CNIConfiguration.init),
              let identifier = document["identifier"]?.string, let namespace = document["namespace"]?.string, NetworkName.isUsable(namespace)
        else { return nil }
        (configuration, self.identifier, self.namespace) = (kept, identifier, namespace)
        ports = (document["ports"]?.array ?? []).compactMap { port in
            guard case .integer(let host)? = port["hostPort"], case .integer(let container)? = port["containerPort"],
                  let host = UInt16(exactly: host), let container = UInt16(exactly: container), let transport = port["protocol"]?.string
            else { return nil }
            return CNIPort(address: port["hostIP"]?.string, host: host, container: container, transport: transport)
        }
        result = document["result"] == .null ? nil : document["result"]
    }
}

extension SystemNetworkHost {
    /// The loopback interface of a network namespace comes up, as plugins expect it.
    static func raise(_ path: String) throws(NetworkError) {
        let error: Errno?
        do throws(Errno) {
            error = try inNetworkNamespace(path) { () -> Errno? in
                do throws(Errno) { try NetworkInterface("lo").bringUp(); return nil } catch { return error }
            }
        } catch let failure {
            throw NetworkError("\(path): \(failure)")
        }
        if let error { throw NetworkError("\(path): lo: \(error)") }
    }
}
