import ContainerProtocol
import LinuxSystem

extension ContainerRuntime {
    /// Makes a container that can be started. Nothing is left of one that could not be made.
    public func create(_ request: ContainerRequest, from image: PreparedImage) async throws(ContainerError) -> ContainerRecord {
        try await BlockingWork.run { () throws(ContainerError) in try make(request, image, isBeingRun: false).record }
    }

    struct Made: ~Copyable {
        let record: ContainerRecord
        let hold: ContainerStore.Hold

        consuming func takeHold() -> ContainerStore.Hold { hold }
    }

    /// - Parameter isBeingRun: see `ContainerDatabase.insert`.
    func make(_ request: ContainerRequest, _ image: PreparedImage, isBeingRun: Bool) throws(ContainerError) -> Made {
        let identifier = try ContainerIdentifier.random()
        if let name = request.name { try ContainerName.check(name) }
        var configuration = try ContainerConfiguration(request, image: image.settings, identifier: identifier, host: .current())
        try Self.checkSources(configuration.mounts)
        try FreePorts.fill(&configuration.ports)
        try resolve(&configuration.network)
        var record = ContainerRecord(
            identifier: identifier, name: request.name ?? "", created: Clock.realTimeNanoseconds(), image: image.name, digest: image.digest,
            root: image.root, isTemporary: request.isTemporary, configuration: configuration)
        // Known to be taken before anything is made; it is looked at again when that counts.
        if let name = request.name, let other = try? store.database.identity(name), other.name == name {
            throw ContainerDatabase.nameInUse(name, other.identifier)
        }
        return try insert(&record, hasName: request.name != nil, isBeingRun: isBeingRun)
    }

    /// Networks that were called by their identifiers are known by name from here on.
    private func resolve(_ network: inout ContainerNetwork) throws(ContainerError) {
        guard case .attached(var attachments) = network else { return }
        for (index, attachment) in attachments.enumerated() {
            guard case .network(let name) = attachment.kind else { continue }
            let found = try store.networks.find(name)
            for address in [attachment.address, attachment.address6].compactMap({ $0 }) where !found.subnets.contains(where: { $0.isHost(address) }) {
                let subnets = found.subnets.map(\.subnet.description).joined(separator: ", ")
                throw .invalid("--ip \(address): network \(found.name) has the addresses \(subnets), expected one of them")
            }
            attachments[index].place = found.name
        }
        for (index, attachment) in attachments.enumerated() where attachments[..<index].contains(where: { $0.place == attachment.place }) {
            throw .invalid("--network \(attachment.place): given twice, expected each network once")
        }
        network = .attached(attachments)
    }

    private func insert(_ record: inout ContainerRecord, hasName: Bool, isBeingRun: Bool) throws(ContainerError) -> Made {
        let creation = try store.lockCreation()
        let paths = store.paths(record.identifier)
        do throws(ContainerError) {
            try onFile(paths.directory) { () throws(Errno) in try makeDirectory(paths.directory, permissions: 0o700) }
            let hold = try store.hold(record.identifier)
            try images.makeWritableDisk(at: paths.writableDisk)
            // Until the container is known none of its volumes is removed.
            if record.configuration.volumeMounts.isEmpty {
                try insertRow(&record, hasName: hasName, isBeingRun: isBeingRun)
            } else {
                let volumes = try store.volumes.lock()
                try makeVolumes(of: &record, paths, volumes)
                try insertRow(&record, hasName: hasName, isBeingRun: isBeingRun)
            }
            try? creation.unlock()
            store.note(.create, record)
            return Made(record: record, hold: hold)
        } catch {
            try? store.removeListedVolumes(paths)
            try? removeTree(paths.directory)
            throw error
        }
    }

    private func insertRow(_ record: inout ContainerRecord, hasName: Bool, isBeingRun: Bool) throws(ContainerError) {
        if hasName { return try store.database.insert(record, isBeingRun: isBeingRun) }
        var attempt = 0
        while true {
            record.name = ContainerName.random(attempt: attempt)
            attempt += 1
            do throws(ContainerError) {
                return try store.database.insert(record, isBeingRun: isBeingRun)
            } catch {
                guard error.kind == .nameInUse, attempt < 100 else { throw error }
            }
        }
    }

    /// What is wrong with a directory or a file of the host is said before anything is made.
    static func checkSources(_ mounts: [ContainerMount]) throws(ContainerError) {
        for case .bind(let source, let destination, _, _) in mounts {
            guard source.hasPrefix("/") else { throw .invalid("--volume \(source):\(destination): expected an absolute path of the host") }
            let status: FileStatus
            do throws(Errno) {
                status = try fileStatus(at: source)
            } catch {
                throw .invalid("--volume \(source):\(destination): \(source): \(error)")
            }
            guard status.kind == .directory || status.kind == .regular else {
                throw .invalid("--volume \(source):\(destination): expected a directory or a regular file, found something else")
            }
        }
    }
}
