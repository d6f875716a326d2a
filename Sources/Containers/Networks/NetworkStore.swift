import LinuxSystem
import Networks
import Synchronization

/// The networks of one store. Any thread, any number of processes.
///
/// The file `networks.lock` is locked by whoever changes networks, leases or the host; who changes a container holds that first. Each change
/// is written down before the host hears of it, so that whoever comes next can complete it: see `NetworkDatabase.stale`.
final class NetworkStore: Sendable {
    let root: String
    /// Where the files for name servers are.
    let runtime: String
    let host: any NetworkHost
    /// svmm-engine, which has the name server of networks; nil: this process is another program, and starts none.
    let engine: String?
    private let opened = Mutex<NetworkDatabase?>(nil)

    /// - Parameters:
    ///   - root: the store's directory.
    ///   - runtime: the containers' directory of sockets; the networks' is beside it.
    init(root: String, runtime: String, host: any NetworkHost = SystemNetworkHost()) {
        self.root = root
        self.host = host
        self.runtime = (runtime.lastIndex(of: "/").map { String(runtime[..<$0]) } ?? ".") + "/networks"
        engine = (try? CurrentProcess.executablePath()).flatMap { $0.hasSuffix("/svmm-engine") ? $0 : nil }
    }

    var path: String { root + "/networks.sqlite" }

    /// nil where nobody has used networks yet.
    func databaseIfAny() throws(ContainerError) -> NetworkDatabase? {
        (try? fileStatus(at: path)) == nil ? nil : try database()
    }

    /// Made where it is missing.
    func database() throws(ContainerError) -> NetworkDatabase {
        let result = opened.withLock { opened in
            Result { () throws(ContainerError) in
                if let database = opened { return database }
                let database = try NetworkDatabase(path: path)
                opened = database
                return database
            }
        }
        return try result.get()
    }

    /// Calls `body` when nobody else changes networks.
    func alone<Value>(_ body: () throws(ContainerError) -> Value) throws(ContainerError) -> Value {
        let path = root + "/networks.lock"
        let file = try onFile(path) { () throws(Errno) in
            let file = try FileDescriptor.open(path, [.readWrite, .create])
            try file.waitForLock(shared: false)
            return file
        }
        // Closing the file is not enough: see `ContainerStore.Hold`.
        defer { try? file.unlock() }
        return try body()
    }

    /// As `alone`; nothing happens where somebody is at work.
    func ifAlone(_ body: () throws(ContainerError) -> Void) throws(ContainerError) {
        let path = root + "/networks.lock"
        let file = try onFile(path) { () throws(Errno) -> FileDescriptor? in
            let file = try FileDescriptor.open(path, [.readWrite, .create])
            if try file.tryLock(shared: false) { return file }
            return nil
        }
        guard let file else { return }
        defer { try? file.unlock() }
        try body()
    }

    /// The table of nftables: one for each store, so that none takes another one's rules away.
    var table: String { root == "/var/lib/svmm" ? "svmm" : "svmm_" + MachineTemplates.digest(root) }

    /// For the user, and nobody else.
    static func note(_ line: String) { printErrorLine("svmm: \(line)") }
}

/// Runs what throws of networks; its errors are containers'.
func onNetworks<Value>(_ body: () throws(NetworkError) -> Value) throws(ContainerError) -> Value {
    do throws(NetworkError) {
        return try body()
    } catch {
        throw .failed("\(error)")
    }
}
