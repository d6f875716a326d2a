@testable import Containers
import ContainerProtocol
import Glibc
import LinuxSystem
import Synchronization
import Testing

/// A store of its own for one test, with a fake monitor; removed at the end.
final class TestStore: Sendable {
    let path: String
    var root: String { path + "/root" }
    var runtime: String { path + "/run" }

    init() throws {
        // Short: paths of sockets are limited.
        let template = Array("/tmp/svmm-c-XXXXXX".utf8CString)
        path = try template.withUnsafeBufferPointer { source in
            let copy = UnsafeMutablePointer<CChar>.allocate(capacity: source.count)
            defer { copy.deallocate() }
            guard let base = source.baseAddress else { throw Errno.invalidArgument }
            copy.update(from: base, count: source.count)
            guard mkdtemp(copy) != nil else { throw Errno.current }
            return String(cString: copy)
        }
    }

    deinit {
        try? removeTree(path)
    }

    func store() throws -> ContainerStore { try ContainerStore(root: root, runtime: runtime) }

    func open(monitor: String = Programs.monitor) async throws -> ContainerRuntime {
        try await ContainerRuntime(root: root, runtime: runtime, images: FakeImages(),
                                   programs: EnginePrograms(monitor: monitor, kernel: "/dev/null", agent: "/dev/null"))
    }

    /// Names in the store's directory of containers, and in the run directory.
    var leftovers: [String] {
        let entries = ((try? names(inDirectory: root + "/containers")) ?? []).filter { $0 != ".lock" }
        return entries + ((try? names(inDirectory: runtime)) ?? [])
    }
}

/// Images that are only names.
struct FakeImages: ContainerImages {
    func disk(root: String) -> String? { root == "gone" ? nil : "/dev/null" }

    func makeWritableDisk(at path: String) throws(ContainerError) { try makeWritableDisk(at: path, size: 0) }

    func makeWritableDisk(at path: String, size: UInt64) throws(ContainerError) {
        do throws(Errno) {
            try FileDescriptor.open(path, [.writeOnly, .create, .exclusive]).truncate(to: size)
        } catch {
            throw ContainerError(.failed, "\(path): \(error)")
        }
    }
}

extension PreparedImage {
    static func fake(_ settings: ImageSettings = ImageSettings(), root: String = String(repeating: "a", count: 64)) -> PreparedImage {
        PreparedImage(name: "fake:1", digest: "sha256:" + String(repeating: "d", count: 64), root: root, disk: "/dev/null", settings: settings)
    }
}

extension ContainerRequest {
    /// For a command of the fake monitor.
    static func fake(_ command: String..., name: String? = nil) -> ContainerRequest {
        var request = ContainerRequest(image: "fake:1")
        request.command = command
        request.name = name
        request.network = ContainerNetwork.none
        return request
    }
}

enum Programs {
    /// Where the tests are: SwiftPM builds it beside them, and with them only.
    static let folder: String = {
        let path = (try? CurrentProcess.executablePath()) ?? "."
        return path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
    }()

    static let monitor = folder + "/svmm-fake-monitor"
}

/// Calls `body` on so many threads at the same time, with their numbers, and waits for all.
func inParallel(_ count: Int, _ body: @escaping @Sendable (Int) throws -> Void) throws {
    let failures = Mutex<[String]>([])
    let remaining = Atomic<Int>(count)
    let done = Gate()
    for index in 0..<count {
        _ = try Thread(name: "test") {
            do { try body(index) } catch { failures.withLock { $0.append("\(error)") } }
            if remaining.subtract(1, ordering: .acquiringAndReleasing).newValue == 0 { done.open() }
        }
    }
    done.wait()
    #expect(failures.withLock { $0 } == [])
}
