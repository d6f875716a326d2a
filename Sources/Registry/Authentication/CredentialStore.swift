import LinuxSystem

/// The credentials of this user for registries, in the files that podman and Docker use too. Any thread.
public struct CredentialStore: Sendable {
    public let places: AuthenticationPlaces

    public init(_ places: AuthenticationPlaces) {
        self.places = places
    }

    /// The most an authentication file may have.
    private static let limit = 4 << 20

    /// The credentials for a repository of a registry; nil when there are none.
    public func credentials(for registry: RegistryName, repository: String? = nil) throws(RegistryError) -> Credentials? {
        for path in places.read {
            guard let file = try read(path, isRequired: places.isNamed) else { continue }
            if let found = file.credentials(for: registry, repository: repository) { return found }
            guard let (name, isForAll) = file.helper(for: registry) else { continue }
            let helper = try CredentialHelper(name: name)
            // A file of another machine's may name one for all registries that this one does not have.
            if isForAll, !helper.isInstalled { continue }
            if let found = try helper.credentials(for: registry) { return found }
        }
        return nil
    }

    /// Writes the credentials of a registry or namespace into the file.
    public func set(_ credentials: Credentials, for key: AuthenticationKey) throws(RegistryError) {
        _ = try change { file in
            file.set(credentials, for: key)
            return true
        }
    }

    /// Removes the credentials of a registry or namespace from the file; returns whether there were some.
    public func remove(_ key: AuthenticationKey) throws(RegistryError) -> Bool {
        try change { file in file.remove(key) }
    }

    /// Removes all credentials from the file; what else is in it stays.
    public func removeAll() throws(RegistryError) {
        _ = try change { file in
            defer { file.removeAll() }
            return !file.keys.isEmpty
        }
    }

    /// A file other than the one that is written which has credentials for the registry; nil when none has.
    public func otherFile(with registry: RegistryName) throws(RegistryError) -> String? {
        for path in places.read.dropFirst() {
            if let file = try read(path, isRequired: false), file.credentials(for: registry) != nil { return path }
        }
        return nil
    }

    private func read(_ path: String, isRequired: Bool) throws(RegistryError) -> AuthenticationFile? {
        let bytes: [UInt8]
        do throws(Errno) {
            let file = try FileDescriptor.open(path, .readOnly)
            bytes = try file.prefix(Self.limit + 1)
        } catch {
            let isMissing = error == .noEntry || error == .notDirectory
            // The runtime directory of another user, say: whoever may not look there has no credentials there.
            guard isRequired || !(isMissing || error == .accessDenied) else { return nil }
            throw .file(path: path, error)
        }
        guard bytes.count <= Self.limit else { throw .invalidFile(path: path, reason: "more than \(Self.limit) bytes") }
        return try AuthenticationFile(json: bytes, path: path)
    }

    /// Changes the file, one process after the other; writes it when `body` says that it has changed.
    private func change(_ body: (inout AuthenticationFile) -> Bool) throws(RegistryError) -> Bool {
        let path = places.written
        let folder = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        let lock = try Self.lock(folder)
        var file = try read(path, isRequired: false) ?? AuthenticationFile()
        guard body(&file) else { return false }
        do throws(Errno) {
            try replaceFile(path, with: file.encoded, permissions: 0o600)
        } catch {
            throw .file(path: path, error)
        }
        Self.unlock(lock)
        return true
    }

    private static func lock(_ folder: String) throws(RegistryError) -> FileDescriptor {
        do throws(Errno) {
            try makeDirectories(folder, permissions: 0o700)
            let lock = try FileDescriptor.open(folder, [.readOnly, .directory])
            try lock.waitForLock(shared: false)
            return lock
        } catch {
            throw .file(path: folder, error)
        }
    }

    /// The lock ends with its file.
    private static func unlock(_ lock: consuming FileDescriptor) {}
}
