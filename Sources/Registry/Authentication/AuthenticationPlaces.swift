import LinuxSystem

/// Where credentials are looked for, and where `svmm registry login` puts them. Source: containers-auth.json(5).
public struct AuthenticationPlaces: Equatable, Sendable {
    /// In the order in which they are asked.
    public let read: [String]
    /// The file that login and logout change; the first of `read`.
    public var written: String { read[0] }
    /// Whether somebody named the file, so that it has to be there.
    public let isNamed: Bool

    /// One file and no other.
    public init(file: String) {
        self.init(files: [file], isNamed: true)
    }

    private init(files: [String], isNamed: Bool) {
        read = files
        self.isNamed = isNamed
    }

    /// `option` is what `--authfile` says. Without it and $REGISTRY_AUTH_FILE: the file of this login session, then that in the
    /// configuration directory, then Docker's.
    public init(
        option: String?, user: UInt32 = CurrentProcess.user, variable: (String) -> String? = { CurrentProcess.variable($0) }
    ) {
        func value(_ name: String) -> String? { variable(name).flatMap { $0.isEmpty ? nil : $0 } }
        if let file = option ?? value("REGISTRY_AUTH_FILE") {
            self.init(file: file)
            return
        }
        let home = value("HOME")
        let session = value("XDG_RUNTIME_DIR").map { "\($0)/containers" } ?? "/run/containers/\(user)"
        var files = ["\(session)/auth.json"]
        if let folder = value("XDG_CONFIG_HOME") ?? home.map({ $0 + "/.config" }) { files.append(folder + "/containers/auth.json") }
        if let folder = value("DOCKER_CONFIG") ?? home.map({ $0 + "/.docker" }) { files.append(folder + "/config.json") }
        self.init(files: files, isNamed: false)
    }
}

extension AuthenticationPlaces {
    /// The same files, for a command that makes the first one when it is missing.
    public var forWriting: AuthenticationPlaces { AuthenticationPlaces(files: read, isNamed: false) }
}
