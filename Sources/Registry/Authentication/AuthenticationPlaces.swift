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
        read = [file]
        isNamed = true
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
        var read = [(value("XDG_RUNTIME_DIR") ?? "/run/containers/\(user)") + (value("XDG_RUNTIME_DIR") == nil ? "" : "/containers") + "/auth.json"]
        if let folder = value("XDG_CONFIG_HOME") ?? home.map({ $0 + "/.config" }) { read.append(folder + "/containers/auth.json") }
        if let folder = value("DOCKER_CONFIG") ?? home.map({ $0 + "/.docker" }) { read.append(folder + "/config.json") }
        self.read = read
        isNamed = false
    }
}
