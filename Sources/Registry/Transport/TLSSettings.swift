import LinuxSystem
import NIOSSL
import Synchronization

/// Whom we believe: the system's certificate authorities, and those in a directory per host. Source: containers-certs.d(5).
final class TLSSettings: Sendable {
    /// Directories that have a directory named HOST:PORT or HOST for each host.
    private let directories: [String]
    /// The certificates of one host, in place of those of `directories`.
    private let own: (host: String, port: Int, directory: String)?
    private let cache = Mutex<[Key: TLSConfiguration]>([:])

    private struct Key: Hashable {
        let host: String
        let port: Int
        let isVerified: Bool
    }

    init(directories: [String], own: (host: String, port: Int, directory: String)? = nil) {
        self.directories = directories
        self.own = own
    }

    /// Those of the system, and of the user before them.
    static func standardDirectories(variable: (String) -> String? = { CurrentProcess.variable($0) }) -> [String] {
        let configuration = variable("XDG_CONFIG_HOME") ?? variable("HOME").map { $0 + "/.config" }
        return (configuration.map { [$0 + "/containers/certs.d"] } ?? []) + ["/etc/containers/certs.d", "/etc/docker/certs.d"]
    }

    /// For connections to a host. Files that cannot be read as what their names say are errors: a forgotten one would look
    /// like a server that cannot be trusted.
    func configuration(for origin: Origin, isVerified: Bool) throws(RegistryError) -> TLSConfiguration {
        let key = Key(host: origin.host, port: origin.port, isVerified: isVerified)
        if let known = cache.withLock({ $0[key] }) { return known }
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        if !isVerified { configuration.certificateVerification = .none }
        if let directory = directory(for: origin) { try Self.add(directory, to: &configuration) }
        cache.withLock { $0[key] = configuration }
        return configuration
    }

    private func directory(for origin: Origin) -> String? {
        if let own, own.host == origin.host, own.port == origin.port { return own.directory }
        let names = ["\(origin.host):\(origin.port)"] + (origin.port == 443 ? [origin.host] : [])
        for directory in directories {
            for name in names {
                let path = "\(directory)/\(name)"
                if let status = try? fileStatus(at: path), status.kind == .directory { return path }
            }
        }
        return nil
    }

    /// `*.crt` are authorities; `NAME.cert` is our own certificate and `NAME.key` its key.
    private static func add(_ directory: String, to configuration: inout TLSConfiguration) throws(RegistryError) {
        let names: [String]
        do throws(Errno) {
            names = try LinuxSystem.names(inDirectory: directory).sorted()
        } catch {
            throw .file(path: directory, error)
        }
        var authorities: [NIOSSLCertificate] = []
        for name in names where name.hasSuffix(".crt") {
            authorities += try certificates("\(directory)/\(name)")
        }
        if !authorities.isEmpty { configuration.additionalTrustRoots.append(.certificates(authorities)) }
        guard let name = names.first(where: { $0.hasSuffix(".cert") }) else { return }
        let key = "\(directory)/\(name.dropLast(".cert".count)).key"
        let chain = try certificates("\(directory)/\(name)")
        do {
            configuration.privateKey = .privateKey(try NIOSSLPrivateKey(file: key, format: .pem))
        } catch {
            throw .invalidFile(path: key, reason: "expected the key of \(name) in PEM format")
        }
        configuration.certificateChain = chain.map { .certificate($0) }
    }

    private static func certificates(_ path: String) throws(RegistryError) -> [NIOSSLCertificate] {
        do {
            return try NIOSSLCertificate.fromPEMFile(path)
        } catch {
            throw .invalidFile(path: path, reason: "expected certificates in PEM format")
        }
    }
}
