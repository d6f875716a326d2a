import Glibc
import LinuxSystem
import OCI
@testable import Registry
import Synchronization

/// A directory of a test's own, with a store in it; removed at the end.
final class Workplace: Sendable {
    let path: String
    let store: ImageStore

    init() throws {
        var template = Array("/tmp/svmm-registry-XXXXXX".utf8CString)
        let made = template.withUnsafeMutableBufferPointer { $0.baseAddress.flatMap { mkdtemp($0) } != nil }
        guard made else { throw Errno.current }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        store = try ImageStore(root: path + "/store")
    }

    deinit {
        remove(path)
    }

    private func remove(_ path: String) {
        if let status = try? fileStatus(at: path, followingLinks: false), status.kind == .directory {
            for name in (try? names(inDirectory: path)) ?? [] { remove("\(path)/\(name)") }
            rmdir(path)
        } else {
            unlink(path)
        }
    }

    func write(_ text: String, to name: String) throws -> String {
        try replaceFile("\(path)/\(name)", with: Array(text.utf8), permissions: 0o600)
        return "\(path)/\(name)"
    }

    func read(_ name: String) -> String? {
        contents(ofSmallFile: "\(path)/\(name)").map { String(decoding: $0, as: UTF8.self) }
    }

    /// Files of unfinished downloads and blobs, with their sizes.
    var partials: [String] { (try? names(inDirectory: "\(store.root)/images/partial")) ?? [] }
    var blobs: [String] { (try? names(inDirectory: "\(store.root)/images/blobs/sha256")) ?? [] }

    /// How these tests reach a server of theirs: without TLS, and without waiting between attempts.
    func options(_ servers: FaultServer..., credentials: Credentials? = nil, sleeps: Sleeps = Sleeps()) throws -> RegistryOptions {
        var configuration = RegistryConfiguration()
        for server in servers { configuration.insecure.insert(try RegistryName(server.host)) }
        var options = RegistryOptions(authentication: AuthenticationPlaces(option: nil, user: 1, variable: { _ in nil }),
                                      configuration: configuration, variable: { _ in nil })
        options.credentials = credentials
        options.retries = RetryPolicy(sleep: { sleeps.note($0) })
        return options
    }

    func pull(_ server: FaultServer, _ name: String = "team/app:v1", _ options: RegistryOptions? = nil) async throws -> StoredImage {
        var pull = PullOptions(registry: try options ?? self.options(server))
        pull.platform = .host
        return try await store.pull(try ImageReference("\(server.host)/\(name)"), options: pull)
    }
}

/// The waits between attempts, which nobody waits for.
final class Sleeps: Sendable {
    private let durations = Mutex<[Duration]>([])

    func note(_ duration: Duration) { durations.withLock { $0.append(duration) } }
    var noted: [Duration] { durations.withLock { $0 } }
}

/// A number that several threads count up.
final class Counter: Sendable {
    private let value = Mutex(0)

    /// The number before.
    @discardableResult
    func next() -> Int {
        value.withLock { value in
            defer { value += 1 }
            return value
        }
    }

    var count: Int { value.withLock { $0 } }
}

/// The error that a call throws, for its text.
func thrown<Result>(_ body: () async throws -> Result) async -> String {
    do {
        _ = try await body()
        return "no error"
    } catch {
        return "\(error)"
    }
}
