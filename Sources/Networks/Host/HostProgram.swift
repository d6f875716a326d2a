import LinuxSystem

/// A program of the host's that is run to its end.
struct HostProgram {
    let path: String

    /// What somebody who has no such program may do.
    private static let packages = ["ip": "iproute2", "tc": "iproute2", "nft": "nftables"]
    /// More than any of them says.
    private static let outputLimit = 4 << 20

    init(_ name: String) throws(NetworkError) {
        let others = ["/usr/sbin/\(name)", "/sbin/\(name)", "/usr/bin/\(name)", "/bin/\(name)"]
        guard let path = findProgram(name) ?? others.first(where: isExecutable) else {
            throw NetworkError("\(name): not installed, expected it for networks of containers; install the Debian package \(Self.packages[name] ?? name)")
        }
        self.path = path
    }

    init(path: String) {
        self.path = path
    }

    struct Result {
        var status: Int32
        var output: [UInt8]
        /// What it has said first of what went wrong.
        var complaint: String
    }

    /// Runs it with this text as standard input.
    func run(_ arguments: [String], input: String = "") throws(NetworkError) -> Result {
        do throws(Errno) {
            let given = try FileDescriptor.anonymousFile(name: "input")
            let said = try FileDescriptor.anonymousFile(name: "output")
            let complaints = try FileDescriptor.anonymousFile(name: "errors")
            guard Array(input.utf8).withUnsafeBytes({ writeWhatFits(given.raw, $0) }) == input.utf8.count else { throw .current }
            try given.setPosition(0)
            let child = try Subprocess(path, arguments: [path] + arguments, descriptors: [given.raw, said.raw, complaints.raw])
            let status = child.wait()
            let lines = String(decoding: try complaints.prefix(64 << 10), as: UTF8.self).split(whereSeparator: \.isNewline)
            return Result(status: status, output: try said.prefix(Self.outputLimit),
                          complaint: lines.first.map(String.init) ?? "ended with status \(status)")
        } catch {
            throw NetworkError("\(path): \(error)")
        }
    }

    /// As `run`; what it prints. Throws where it fails.
    @discardableResult
    func check(_ arguments: [String], input: String = "", for what: String) throws(NetworkError) -> String {
        let result = try run(arguments, input: input)
        guard result.status == 0 else { throw NetworkError("\(what): \(path): \(result.complaint)") }
        return String(decoding: result.output, as: UTF8.self)
    }
}
