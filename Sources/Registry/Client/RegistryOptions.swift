import LinuxSystem

/// How to talk to registries: what `svmm image pull` and its like have as options, and what they do not ask for.
public struct RegistryOptions: Sendable {
    /// In place of those in the files (`--creds`).
    public var credentials: Credentials?
    /// Where credentials are looked for.
    public var authentication: AuthenticationPlaces
    /// `--tls-verify`; nil: as the configuration says.
    public var verifiesTLS: Bool?
    /// In place of /etc/containers/certs.d/HOST:PORT.
    public var certificateDirectory: String?
    public var configuration: RegistryConfiguration
    public var timeouts = Timeouts()
    public var retries = RetryPolicy()
    /// How many blobs are on their way at the same time.
    public var parallelTransfers = 3
    /// The environment, for proxies and directories.
    var variable: @Sendable (String) -> String?

    /// What files and environment of this user say.
    ///
    /// - Parameter authenticationFile: what `--authfile` says.
    public init(authenticationFile: String? = nil) throws(RegistryError) {
        self.init(authentication: AuthenticationPlaces(option: authenticationFile), configuration: try .load())
    }

    init(
        authentication: AuthenticationPlaces, configuration: RegistryConfiguration,
        variable: @escaping @Sendable (String) -> String? = { CurrentProcess.variable($0) }
    ) {
        self.authentication = authentication
        self.configuration = configuration
        self.variable = variable
    }

    /// Whether the registry may be reached without TLS, or by TLS without a certificate that can be trusted.
    func mayBeInsecure(_ name: RegistryName) -> Bool {
        verifiesTLS.map { !$0 } ?? configuration.insecure.contains(name)
    }
}
