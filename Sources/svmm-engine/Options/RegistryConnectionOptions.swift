import ArgumentParser
import CommandSupport
import Registry

/// How a command reaches registries.
struct RegistryConnectionOptions: ParsableArguments {
    @Option(help: ArgumentHelp("File with the credentials (default: $REGISTRY_AUTH_FILE, else podman's and Docker's places).",
                               valueName: "file"))
    var authfile: String?

    @Option(help: ArgumentHelp(
        "Require TLS and a certificate that can be trusted (default: true, but for registries that registries.json names).",
        valueName: "true|false"))
    var tlsVerify: Bool?

    @Option(help: ArgumentHelp(
        "Directory with *.crt of authorities, *.cert and *.key of our own (default: /etc/containers/certs.d/HOST:PORT).",
        valueName: "dir"))
    var certDir: String?

    func registryOptions() throws -> RegistryOptions {
        var options = try RegistryOptions(authenticationFile: authfile)
        options.verifiesTLS = tlsVerify
        options.certificateDirectory = certDir
        return options
    }
}

/// As `RegistryConnectionOptions`, for commands that may be told the credentials.
struct RegistryAccessOptions: ParsableArguments {
    @OptionGroup var connection: RegistryConnectionOptions

    @Option(help: ArgumentHelp("Credentials in place of those in the file. Others on this machine can see them: rather log in.",
                               valueName: "user:password"),
            transform: { text in
                guard let credentials = Credentials(parsing: text) else { throw Expected("USER:PASSWORD") }
                return credentials
            })
    var creds: Credentials?

    func registryOptions() throws -> RegistryOptions {
        var options = try connection.registryOptions()
        options.credentials = creds
        return options
    }
}
