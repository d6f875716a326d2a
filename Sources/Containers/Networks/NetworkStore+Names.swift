import LinuxSystem
import Networks

/// Files for the name servers of networks, `svmm-engine network-names`: a line for each name, with its addresses.
extension NetworkStore {
    private func namesPath(_ identifier: String) -> String { "\(runtime)/\(identifier).names" }
    private func lockPath(_ identifier: String) -> String { "\(runtime)/\(identifier).lock" }

    /// Writes the files of all networks on which containers run, and sees to it that somebody answers for them; removes those of others.
    func writeNames(_ networks: [Network], _ leases: [NetworkLease], _ records: (String) -> ContainerRecord?) throws(ContainerError) {
        let folder = runtime
        for network in networks {
            let lines = network.hasNames ? Self.lines(leases.filter { $0.network == network.identifier }, records) : []
            guard !lines.isEmpty else {
                try removeNames(of: network.identifier)
                continue
            }
            try onFile(folder) { () throws(Errno) in try makeDirectories(folder, permissions: 0o700) }
            let (path, bytes) = (namesPath(network.identifier), Array((lines.joined(separator: "\n") + "\n").utf8))
            if contents(ofSmallFile: path, limit: 64 << 20) != bytes {
                try onFile(path) { () throws(Errno) in try replaceFile(path, with: bytes, permissions: 0o600) }
            }
            try serve(network)
        }
    }

    func removeNames(of identifier: String) throws(ContainerError) {
        let path = namesPath(identifier)
        guard (try? fileStatus(at: path)) != nil else { return }
        // Its server ends with it.
        try onFile(path) { () throws(Errno) in try removeFile(path) }
    }

    /// A name may stand for several containers.
    static func lines(_ leases: [NetworkLease], _ records: (String) -> ContainerRecord?) -> [String] {
        var addresses: [String: [IPAddress]] = [:]
        for lease in leases {
            guard let record = records(lease.container), case .attached(let attachments) = record.configuration.network else { continue }
            let aliases = lease.position < attachments.count ? attachments[lease.position].aliases : []
            let names = Set([record.name, record.shortIdentifier, record.configuration.hostname] + aliases).map { $0.lowercased() }
            for name in Set(names) where !name.isEmpty && name.utf8.allSatisfy({ $0 > 32 && $0 < 127 }) {
                addresses[name, default: []] += lease.addresses
            }
        }
        return addresses.sorted { $0.key < $1.key }.map { name, addresses in
            "\(name) \(addresses.sorted().map(\.description).joined(separator: ","))"
        }
    }

    /// Starts the network's name server, unless it runs.
    private func serve(_ network: Network) throws(ContainerError) {
        guard let engine else { return }
        let lock = lockPath(network.identifier)
        let isServed = try onFile(lock) { () throws(Errno) in
            let file = try FileDescriptor.open(lock, [.readWrite, .create])
            guard try file.tryLock(shared: false) else { return true }
            try file.unlock()
            return false
        }
        guard !isServed else { return }
        let arguments = ["svmm-engine", "network-names", "--network", network.identifier]
            + network.subnets.flatMap { ["--address", $0.gateway.description] }
            + ["--names", namesPath(network.identifier), "--lock", lock]
        do throws(Errno) {
            let nothing = try FileDescriptor.open("/dev/null", .readWrite)
            let process = try CurrentProcess.spawnDetached(engine, arguments: arguments, descriptors: [nothing.raw, nothing.raw, nothing.raw])
            _ = try? Thread(name: "reaper") { waitForProcess(process) }
        } catch {
            throw .failed("\(engine): \(error)")
        }
    }
}
