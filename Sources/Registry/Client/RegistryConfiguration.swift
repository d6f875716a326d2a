import FoundationEssentials
import LinuxSystem

/// What the configuration says about registries: `registries.json`, an object with `"insecure": ["HOST:PORT", …]`.
public struct RegistryConfiguration: Sendable, Equatable {
    /// Registries that may be reached without TLS, or by TLS without a certificate that can be trusted.
    public var insecure: Set<RegistryName> = []

    public init() {}

    /// Reads the file's contents; `path` begins the error's text.
    init(json bytes: [UInt8], path: String) throws(RegistryError) {
        struct Document: Decodable {
            var insecure: [String]?
        }
        guard let document = try? JSONDecoder().decode(Document.self, from: Data(bytes)) else {
            throw .invalidFile(path: path, reason: "expected a JSON object such as {\"insecure\": [\"localhost:5000\"]}")
        }
        for text in document.insecure ?? [] {
            do throws(RegistryError) {
                insecure.insert(try RegistryName(text))
            } catch {
                throw .invalidFile(path: path, reason: "\(error)")
            }
        }
    }

    /// Where the files are: in $SVMM_CONFIG_DIR, or else in /etc/svmm and the user's configuration directory.
    static func paths(variable: (String) -> String?) -> [String] {
        func value(_ name: String) -> String? { variable(name).flatMap { $0.isEmpty ? nil : $0 } }
        if let directory = value("SVMM_CONFIG_DIR") { return ["\(directory)/registries.json"] }
        let own = value("XDG_CONFIG_HOME") ?? value("HOME").map { $0 + "/.config" }
        return ["/etc/svmm/registries.json"] + (own.map { ["\($0)/svmm/registries.json"] } ?? [])
    }

    /// All files that there are, together.
    public static func load(
        variable: (String) -> String? = { CurrentProcess.variable($0) }
    ) throws(RegistryError) -> RegistryConfiguration {
        var configuration = RegistryConfiguration()
        for path in paths(variable: variable) {
            let bytes: [UInt8]
            do throws(Errno) {
                bytes = try FileDescriptor.open(path, .readOnly).prefix(1 << 20)
            } catch {
                guard error == .noEntry || error == .notDirectory else { throw .file(path: path, error) }
                continue
            }
            configuration.insecure.formUnion(try RegistryConfiguration(json: bytes, path: path).insecure)
        }
        return configuration
    }
}
