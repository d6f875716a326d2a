import AgentProtocol
import ContainerProtocol
import LinuxSystem

/// How files are copied.
public struct CopyOptions: Sendable {
    /// Whether owners are kept (-a); otherwise they are root's in the container, and the caller's on the host.
    public var keepsOwners = false
    /// Whether a symbolic link that is named stands for where it leads.
    public var followsLink = false

    public init() {}
}

extension ContainerRuntime {
    /// Copies a file or directory of a container that runs to the host, by the rules of podman cp: into a directory that exists, and to a new
    /// name otherwise; of `path/.` the contents alone.
    ///
    /// - Returns: how many members were left out: device nodes.
    @discardableResult
    public func copy(
        from container: String, path: String, to destination: String, options: CopyOptions = CopyOptions()
    ) async throws(ContainerError) -> Int {
        try await BlockingWork.run { () throws(ContainerError) in
            let record = try store.database.find(container)
            let (source, status) = try look(record, path, follows: options.followsLink)
            let isDirectory = FileType(mode: status.mode) == .directory
            let plan = try CopyPlan(source: path, isDirectory: isDirectory, destination: try .host(destination))
            if let directory = plan.newDirectory { try onFile(directory) { () throws(Errno) in try makeDirectory(directory, permissions: 0o755) } }
            let extractor = try ArchiveExtractor(into: plan.directory, rename: plan.name, keepsOwners: options.keepsOwners)
            try receive(record, source) { bytes throws(ContainerError) in try extractor.take(bytes) }
            try extractor.finish()
            return extractor.skippedCount
        }
    }

    /// Copies a file or directory of the host into a container that runs, by the same rules.
    public func copy(
        _ source: String, to container: String, path: String, options: CopyOptions = CopyOptions()
    ) async throws(ContainerError) {
        try await BlockingWork.run { () throws(ContainerError) in
            let record = try store.database.find(container)
            let attributes = try onFile(source) { () throws(Errno) in
                let file = try FileDescriptor.open(source, options.followsLink ? [.pathOnly] : [.pathOnly, .noFollow])
                return try file.attributes()
            }
            let isDirectory = FileType(mode: attributes.mode) == .directory
            let found = try? look(record, path, follows: true).status
            let kind: CopyPlace.Kind = found == nil ? .missing : FileType(mode: found?.mode ?? 0) == .directory ? .directory : .other
            let plan = try CopyPlan(source: source, isDirectory: isDirectory, destination: CopyPlace(path: path, kind: kind))
            // A directory that is not there comes with the archive: unpacked where it is to be.
            let (directory, name) = plan.newDirectory.map { CopyPlan.split($0) } ?? (plan.directory, plan.name)
            try send(record, directory) { emit throws(ContainerError) in
                let writer = ArchiveWriter(keepsOwners: options.keepsOwners, emit: emit)
                try writer.write(source, as: name, followsLink: options.followsLink)
            }
        }
    }

    /// A tar archive of a path of a container that runs. `/` is its root file system, without what is mounted below it.
    ///
    /// - Parameter take: called on another thread, with the archive's bytes in order.
    public func archive(
        _ container: String, path: String, _ take: @escaping @Sendable ([UInt8]) throws(ContainerError) -> Void
    ) async throws(ContainerError) {
        try await BlockingWork.run { () throws(ContainerError) in
            let record = try store.database.find(container)
            try receive(record, path, take)
        }
    }

    /// Unpacks a tar archive into a directory of a container that runs.
    ///
    /// - Parameter next: called on another thread for the archive's next bytes; nil or none at its end.
    public func extract(
        into container: String, path: String, _ next: @escaping @Sendable () throws(ContainerError) -> [UInt8]?
    ) async throws(ContainerError) {
        try await BlockingWork.run { () throws(ContainerError) in
            let record = try store.database.find(container)
            try send(record, path) { emit throws(ContainerError) in
                while let bytes = try next(), !bytes.isEmpty { try emit(bytes) }
            }
        }
    }

    // MARK: The connection

    /// What there is at a path, and where, links followed or not.
    private func look(_ record: ContainerRecord, _ path: String, follows: Bool) throws(ContainerError) -> (path: String, status: PathStatus) {
        guard path.hasPrefix("/") else { throw .invalid("\(record.name):\(path): expected an absolute path in the container") }
        let connection = try connect(record)
        var current = path
        for _ in 0..<40 {
            let answer: MonitorMessage
            do throws(ContainerError) {
                answer = try connection.ask(.pathStatus(current))
            } catch {
                throw ContainerError(error.kind, "\(record.name):\(path): \(error)")
            }
            guard case .pathStatus(let status) = answer else { throw connection.unexpected(answer) }
            guard follows, FileType(mode: status.mode) == .symbolicLink else { return (current, status) }
            current = status.target.hasPrefix("/") ? status.target : CopyPlan.split(current).directory + "/" + status.target
        }
        throw .failed("\(record.name):\(path): too many levels of symbolic links")
    }

    private func receive(
        _ record: ContainerRecord, _ path: String, _ take: ([UInt8]) throws(ContainerError) -> Void
    ) throws(ContainerError) {
        let connection = try connect(record)
        try connection.send(.archive(path: path))
        while true {
            switch try connection.receive() {
            case .output(let bytes)?: try take(bytes)
            case .done?: return
            case .failed(let status, let text)?: throw ContainerError(status: status, "\(record.name):\(path): \(text)")
            case nil: throw connection.gone
            case let other?: throw connection.unexpected(other)
            }
        }
    }

    private func send(
        _ record: ContainerRecord, _ path: String,
        _ body: (@escaping ([UInt8]) throws(ContainerError) -> Void) throws(ContainerError) -> Void
    ) throws(ContainerError) {
        let connection = try connect(record)
        try connection.send(.extract(path: path))
        var whole: [UInt8] = []
        func flush() throws(ContainerError) {
            while whole.count >= ContainerChannel.maximumPart {
                try connection.send(.input(Array(whole.prefix(ContainerChannel.maximumPart))))
                whole.removeFirst(ContainerChannel.maximumPart)
            }
        }
        try withoutActuallyEscaping({ (bytes: [UInt8]) throws(ContainerError) in
            whole += bytes
            try flush()
        }) { (emit) throws(ContainerError) in try body(emit) }
        if !whole.isEmpty { try connection.send(.input(whole)) }
        try connection.send(.endOfInput)
        switch try connection.receive() {
        case .done?: return
        case .failed(let status, let text)?: throw ContainerError(status: status, "\(record.name):\(path): \(text)")
        case nil: throw connection.gone
        case let other?: throw connection.unexpected(other)
        }
    }
}
