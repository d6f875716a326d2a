import ArgumentParser
import CommandSupport
import LinuxSystem
import Registry

struct RegistryCommands: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "registry",
        abstract: "Log in to image registries, and out.",
        subcommands: [RegistryLogin.self, RegistryLogout.self]
    )
}

struct RegistryLogin: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "login",
        abstract: "Check user and password at a registry, and keep them for later.",
        discussion: "They go into the file that podman, buildah and skopeo read too, which only you can read."
    )

    @OptionGroup var connection: RegistryConnectionOptions

    @Option(name: [.customShort("u"), .long], help: ArgumentHelp("The user; asked for when missing.", valueName: "user"))
    var username: String?

    @Option(name: [.customShort("p"), .long],
            help: ArgumentHelp("The password; asked for when missing. Others on this machine can see it here.", valueName: "password"))
    var password: String?

    @Flag(help: "Read the password from standard input.")
    var passwordStdin = false

    @Flag(help: "Print the user that is logged in, and do nothing else.")
    var getLogin = false

    @Argument(help: ArgumentHelp("The registry, HOST[:PORT], or a namespace in it.", valueName: "registry"))
    var registry = "docker.io"

    func validate() throws {
        if passwordStdin, password != nil { throw ValidationError("--password and --password-stdin exclude each other") }
        if passwordStdin, username == nil { throw ValidationError("--password-stdin needs --username") }
    }

    func prepare() throws {
        try Prompt.prepare()
    }

    func run() async throws {
        let key = try AuthenticationKey(registry)
        let places = AuthenticationPlaces(option: connection.authfile)
        let store = CredentialStore(places.forWriting)
        let known = try store.credentials(for: key.registry, repository: key.namespace)
        if getLogin {
            guard let known else { throw NotLoggedIn(registry: key.description) }
            printLine(known.user)
            return
        }
        var options = try connection.registryOptions()
        if username == nil, password == nil, let known {
            options.credentials = known
            if await Self.isAccepted(key.registry, options) {
                printLine("Already logged in to \(key) as \(known.user)")
                return
            }
        }
        let credentials = try ask(known: known?.user)
        options.credentials = credentials
        try await RegistryClient.with(key.registry, options) { client throws(RegistryError) in try await client.check() }
        try store.set(credentials, for: key)
        printLine("Login Succeeded!")
    }

    private static func isAccepted(_ registry: RegistryName, _ options: RegistryOptions) async -> Bool {
        do throws(RegistryError) {
            try await RegistryClient.with(registry, options) { client throws(RegistryError) in try await client.check() }
            return true
        } catch {
            return false
        }
    }

    private func ask(known: String?) throws -> Credentials {
        let user = try username ?? Prompt.line("Username\(known.map { " (\($0))" } ?? ""): ", default: known)
        guard !user.isEmpty, !user.contains(":") else { throw Expected("a user name without a colon") }
        let password: String
        if passwordStdin {
            password = try Prompt.allOfStandardInput()
        } else {
            password = try self.password ?? Prompt.secret("Password: ")
        }
        guard !password.isEmpty else { throw Expected("a password") }
        return Credentials(user: user, password: password)
    }
}

struct RegistryLogout: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "logout",
        abstract: "Forget the user and password for a registry."
    )

    @Option(help: ArgumentHelp("File with the credentials (default: $REGISTRY_AUTH_FILE, else podman's place).", valueName: "file"))
    var authfile: String?

    @Flag(name: [.customShort("a"), .long], help: "Forget those for all registries.")
    var all = false

    @Argument(help: ArgumentHelp("The registry, HOST[:PORT], or a namespace in it.", valueName: "registry"))
    var registry: String?

    func validate() throws {
        if all == (registry != nil) { throw ValidationError("expected a registry or --all, and not both") }
    }

    func run() async throws {
        let store = CredentialStore(AuthenticationPlaces(option: authfile).forWriting)
        guard let registry else {
            try store.removeAll()
            printLine("Removed login credentials for all registries")
            return
        }
        let key = try AuthenticationKey(registry)
        guard try store.remove(key) else {
            if let other = try store.otherFile(with: key.registry) { throw KeptElsewhere(registry: key.description, file: other) }
            throw NotLoggedIn(registry: key.description)
        }
        printLine("Removed login credentials for \(key)")
    }

    private struct KeptElsewhere: Error, CustomStringConvertible {
        let registry: String
        let file: String

        var description: String {
            "\(registry): its credentials are in \(file): log out with the program that put them there, or give --authfile"
        }
    }
}

private struct NotLoggedIn: Error, CustomStringConvertible {
    let registry: String

    var description: String { "\(registry): not logged in" }
}
