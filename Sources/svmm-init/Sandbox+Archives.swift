import AgentCore
import AgentProtocol

extension Sandbox {
    private static let resolution = UInt32(AGENT_RESOLVE_IN_ROOT | AGENT_RESOLVE_NO_MAGICLINKS)

    /// Runs in a child: sends what is at a path.
    func archive(_ path: String, to stream: UInt64) throws(AgentFailure) {
        let socket = try connect(stream)
        var archiver = Archiver(to: socket)
        if let name = PathName.components(Array(path.utf8)).last {
            // The parent first: of the path itself only the last component is not to be followed.
            let file = agent_openat2(root, path, AGENT_O_PATH | O_NOFOLLOW, 0, Self.resolution)
            guard file >= 0 else { throw AgentFailure(path, .current) }
            let parent = agent_openat2(root, Self.parent(path), O_RDONLY | O_DIRECTORY, 0, Self.resolution)
            guard parent >= 0 else { throw AgentFailure(path, .current) }
            try archiver.add(name, in: parent, as: name)
        } else {
            let file = agent_open(Self.overlay, O_RDONLY | O_DIRECTORY, 0)
            guard file >= 0 else { throw AgentFailure(path, .current) }
            try archiver.addContents(file)
        }
        try archiver.finish()
        shutdown(socket, SHUT_WR)
    }

    private static func parent(_ path: String) -> String {
        let components = PathName.components(Array(path.utf8)).dropLast()
        return "/" + text(components.joined(separator: [UInt8(ascii: "/")]))
    }

    /// Runs in a child: unpacks what comes.
    func extract(_ path: String, from stream: UInt64) throws(AgentFailure) {
        let socket = try connect(stream)
        let directory = agent_openat2(root, path, O_RDONLY | O_DIRECTORY, 0, Self.resolution)
        guard directory >= 0 else { throw AgentFailure(path, .current) }
        umask(0)
        var extractor = Extractor(socket, into: directory, changesRoot: false)
        try extractor.run()
    }

    private func connect(_ stream: UInt64) throws(AgentFailure) -> Int32 {
        do throws(Errno) {
            return try openStream(stream)
        } catch {
            throw AgentFailure(.failed, "stream \(stream): \(error.text)")
        }
    }
}
