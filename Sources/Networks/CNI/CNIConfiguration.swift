import LinuxSystem

/// A network of the host's CNI plugins: its list of plugins (CNI specification 1.0.0, section 1).
struct CNIConfiguration: Sendable, Equatable {
    var name: String
    var version: String
    /// Objects, in the order in which they are added.
    var plugins: [[String: JSONDocument]]

    static let directory = "/etc/cni/net.d"
    /// More than any configuration has.
    private static let sizeLimit = 1 << 20

    /// The network of that name, in the first file that has it, in the order of their names.
    static func find(_ name: String, in directory: String = directory) throws(NetworkError) -> CNIConfiguration {
        let files = ((try? names(inDirectory: directory)) ?? []).sorted().filter { file in
            [".conflist", ".conf", ".json"].contains { file.hasSuffix($0) }
        }
        for file in files {
            guard let bytes = contents(ofSmallFile: "\(directory)/\(file)", limit: sizeLimit), let document = JSONDocument(parsing: bytes),
                  document["name"]?.string == name else { continue }
            guard let configuration = CNIConfiguration(document) else {
                throw NetworkError("\(directory)/\(file): no plugins in it, expected a list 'plugins' of objects with a 'type' that is the name of a program")
            }
            return configuration
        }
        throw NetworkError("--network cni:\(name): no file in \(directory) has a network of that name, expected one, such as NAME.conflist")
    }

    /// From a file, or from what `document` has kept.
    init?(_ document: JSONDocument) {
        guard let name = document["name"]?.string else { return nil }
        self.name = name
        version = document["cniVersion"]?.string ?? "0.2.0"
        // A file with one plugin is that plugin's configuration.
        let list = document["plugins"]?.array ?? (document["type"] == nil ? [] : [document])
        plugins = list.compactMap(\.members)
        let types = plugins.map { $0["type"]?.string ?? "" }
        guard !plugins.isEmpty, plugins.count == list.count, types.allSatisfy(Self.isProgram) else { return nil }
    }

    var document: JSONDocument {
        .object(["name": .string(name), "cniVersion": .string(version), "plugins": .array(plugins.map { .object($0) })])
    }

    /// Whether the plugins publish ports themselves.
    var publishesPorts: Bool { plugins.contains(where: Self.publishesPorts) }

    static func publishesPorts(_ plugin: [String: JSONDocument]) -> Bool { plugin["capabilities"]?["portMappings"] == .bool(true) }

    /// A name without a way to another directory.
    private static func isProgram(_ type: String) -> Bool { !type.isEmpty && !type.contains("/") && type != "." && type != ".." }

    /// What a plugin reads from standard input (section 3).
    func input(_ plugin: [String: JSONDocument], ports: [CNIPort], previous: JSONDocument?) -> JSONDocument {
        var members = plugin
        members["name"] = .string(name)
        members["cniVersion"] = .string(version)
        members["prevResult"] = previous
        members["capabilities"] = nil
        if Self.publishesPorts(plugin), !ports.isEmpty {
            members["runtimeConfig"] = .object(["portMappings": .array(ports.map(\.document))])
        }
        return .object(members)
    }
}

/// A published port, as the plugins' capability `portMappings` has it.
public struct CNIPort: Sendable, Equatable {
    /// Of the host; nil: all.
    public var address: String?
    public var host: UInt16
    public var container: UInt16
    /// `tcp` or `udp`.
    public var transport: String

    public init(address: String?, host: UInt16, container: UInt16, transport: String) {
        self.address = address
        self.host = host
        self.container = container
        self.transport = transport
    }

    var document: JSONDocument {
        var members: [String: JSONDocument] = ["hostPort": .integer(Int64(host)), "containerPort": .integer(Int64(container)), "protocol": .string(transport)]
        if let address { members["hostIP"] = .string(address) }
        return .object(members)
    }
}
