import FoundationEssentials

/// A file with credentials for registries as podman, buildah, skopeo and Docker share it. Source: containers-auth.json(5).
///
/// What else is in the file is kept. Its keys are HOST, HOST/NAMESPACE…, and, as Docker writes them, https://HOST/v1/.
struct AuthenticationFile: Equatable, Sendable {
    private var document: [String: JSONValue] = [:]

    init() {}

    /// Reads the file's contents; `path` begins the error's text.
    init(json bytes: [UInt8], path: String) throws(RegistryError) {
        // An empty file is what `touch` makes for others to write to.
        if bytes.allSatisfy({ $0 == 0x20 || (0x09...0x0D).contains($0) }) { return }
        do {
            document = try JSONDecoder().decode([String: JSONValue].self, from: Data(bytes))
        } catch {
            throw .invalidFile(path: path, reason: "expected an authentication file: a JSON object with \"auths\"")
        }
        guard document["auths"] == nil || document["auths"] == .null || document["auths"]?.members != nil else {
            throw .invalidFile(path: path, reason: "\"auths\" has the wrong type, expected an object")
        }
    }

    var encoded: [UInt8] {
        Array(JSONValue.object(document).prettyText.utf8) + [UInt8(ascii: "\n")]
    }

    /// The keys that have credentials here, sorted.
    var keys: [String] { entries.keys.sorted() }

    private var entries: [String: JSONValue] {
        get { document["auths"]?.members ?? [:] }
        set { document["auths"] = .object(newValue) }
    }

    /// The credentials for a repository: those of the longest namespace that has some, or the registry's.
    func credentials(for registry: RegistryName, repository: String? = nil) -> Credentials? {
        var name = repository.map { "\(registry)/\($0)" } ?? registry.description
        while let slash = name.lastIndex(of: "/") {
            if let found = entries[name].flatMap(Self.credentials) { return found }
            name = String(name[..<slash])
        }
        return keys(of: registry).lazy.compactMap { entries[$0].flatMap(Self.credentials) }.first
    }

    /// Sets the credentials of a registry or namespace, in place of those it has.
    mutating func set(_ credentials: Credentials, for key: AuthenticationKey) {
        remove(key)
        var entry: [String: JSONValue] = ["auth": .string(credentials.encoded)]
        if let token = credentials.identityToken { entry["identitytoken"] = .string(token) }
        entries[key.description] = .object(entry)
    }

    /// Removes the credentials of a registry, under all its names, or of a namespace. Returns whether there were some.
    @discardableResult
    mutating func remove(_ key: AuthenticationKey) -> Bool {
        let found = key.namespace == nil ? keys(of: key.registry) : [key.description].filter { entries[$0] != nil }
        for name in found { entries[name] = nil }
        return !found.isEmpty
    }

    mutating func removeAll() {
        entries = [:]
    }

    /// The program that keeps the credentials of a registry, `docker-credential-NAME`; nil where the file keeps them.
    /// `isForAll`: it is for every registry, this one not named.
    func helper(for registry: RegistryName) -> (name: String, isForAll: Bool)? {
        if let helpers = document["credHelpers"]?.members {
            for (key, value) in helpers where Self.registry(ofKey: key) == registry {
                if let name = value.text, !name.isEmpty { return (name, false) }
            }
        }
        guard let name = document["credsStore"]?.text, !name.isEmpty else { return nil }
        return (name, true)
    }

    /// The keys of whole registries that mean this one; its own name first.
    private func keys(of registry: RegistryName) -> [String] {
        let found = entries.keys.filter { Self.registry(ofKey: $0) == registry }.sorted()
        return found.filter { $0 == registry.description } + found.filter { $0 != registry.description }
    }

    /// The registry that a key is for as a whole; nil for namespaces.
    private static func registry(ofKey key: String) -> RegistryName? {
        var rest = key[...]
        var isURL = false
        for scheme in ["https://", "http://"] where rest.hasPrefix(scheme) {
            rest = rest.dropFirst(scheme.count)
            isURL = true
        }
        if let slash = rest.firstIndex(of: "/") {
            guard isURL || rest[slash...] == "/" else { return nil }
            rest = rest[..<slash]
        }
        return try? RegistryName(String(rest))
    }

    private static func credentials(_ entry: JSONValue) -> Credentials? {
        let token = entry["identitytoken"]?.text.flatMap { $0.isEmpty ? nil : $0 }
        if let encoded = entry["auth"]?.text, var credentials = Credentials(encoded: encoded) {
            credentials.identityToken = token
            return credentials
        }
        if let user = entry["username"]?.text, let password = entry["password"]?.text, !user.isEmpty {
            return Credentials(user: user, password: password, identityToken: token)
        }
        return token.map { Credentials(user: "<token>", password: "", identityToken: $0) }
    }
}

/// What `svmm registry login` is given: a registry, or a namespace in one.
public struct AuthenticationKey: Hashable, Sendable, CustomStringConvertible {
    public let registry: RegistryName
    /// `team` or `team/image`; nil for the whole registry.
    public let namespace: String?

    /// Parses HOST[:PORT][/NAMESPACE].
    public init(_ text: String) throws(RegistryError) {
        var rest = text[...]
        for scheme in ["https://", "http://"] where rest.hasPrefix(scheme) { rest = rest.dropFirst(scheme.count) }
        while rest.hasSuffix("/") { rest = rest.dropLast() }
        guard let slash = rest.firstIndex(of: "/") else {
            registry = try RegistryName(String(rest))
            namespace = nil
            return
        }
        registry = try RegistryName(String(rest[..<slash]))
        let path = String(rest[rest.index(after: slash)...])
        let isPath = path.utf8.allSatisfy { byte in
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                || "._-/".utf8.contains(byte)
        }
        guard isPath, !path.hasPrefix("/"), !path.contains("//") else {
            throw .invalidRegistry(text, reason: "expected HOST[:PORT][/NAMESPACE]")
        }
        namespace = path
    }

    public var description: String { namespace.map { "\(registry)/\($0)" } ?? registry.description }
}
