import FoundationEssentials
import NIOCore
import NIOHTTP1
import OCI

/// A client of one registry. Source: OCI distribution-spec 1.1.
///
/// Any task may use it, for several requests at a time. Made by `with`, which also ends it.
public final class RegistryClient: Sendable {
    public let name: RegistryName
    let options: RegistryOptions
    let session: RegistrySession

    private init(_ name: RegistryName, _ options: RegistryOptions) {
        self.name = name
        self.options = options
        let mayBeInsecure = options.mayBeInsecure(name)
        let insecure = options.configuration.insecure
        let port = name.port ?? Origin.Scheme.https.port
        let own = options.certificateDirectory.map { (host: name.host, port: port, directory: $0) }
        let transport = HTTPTransport(
            timeouts: options.timeouts,
            tls: TLSSettings(directories: TLSSettings.standardDirectories(variable: options.variable), own: own),
            proxies: ProxySettings(variable: options.variable),
            unverified: { origin in
                // Also at other ports of the host, where its tokens may come from.
                if origin.host == name.host { return mayBeInsecure }
                // Another host that this registry sends us to is insecure only if it is named itself.
                return insecure.contains { $0.origin(.https) == origin }
            })
        let store = CredentialStore(options.authentication)
        let given = options.credentials
        let authorizer = Authorizer(name: name.description, transport: transport) { repository throws(RegistryError) in
            if let given { return given }
            return try store.credentials(for: name, repository: repository)
        }
        session = RegistrySession(name: name, transport: transport, authorizer: authorizer, retries: options.retries,
                                  mayBeInsecure: mayBeInsecure)
    }

    /// Runs `body` with a client, and closes its connections when it returns.
    public static func with<Result: Sendable>(
        _ name: RegistryName, _ options: RegistryOptions,
        _ body: @Sendable (RegistryClient) async throws(RegistryError) -> Result
    ) async throws(RegistryError) -> Result {
        let client = RegistryClient(name, options)
        let result: Swift.Result<Result, RegistryError>
        do throws(RegistryError) {
            result = .success(try await body(client))
        } catch {
            result = .failure(error)
        }
        await client.session.transport.shutDown()
        return try result.get()
    }

    /// Asks the registry for nothing but whether it lets us in. Source: distribution-spec, "Determining Support".
    public func check() async throws(RegistryError) {
        try await session.retrying { () async throws(AttemptFailure) in
            let response = try await session.exchange(RegistryRequest(target: .path("/v2/"), what: name.description))
            let body = try await session.body(response.http, from: response.origin)
            guard response.http.status == .ok else {
                if response.http.status == .notFound {
                    throw .final(.invalidAnswer(what: name.description, reason: "there is no registry: /v2/ is not found"))
                }
                throw .answer(response.http, body, what: name.description)
            }
        }
    }
}

/// A manifest or an index as a registry served it.
public struct FetchedManifest: Sendable {
    public let descriptor: Descriptor
    public let bytes: [UInt8]
    public let document: ManifestDocument
}
