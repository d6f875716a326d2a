import OCI

/// Images of an `ImageStore`, for containers.
public struct StoredImages: ContainerImages {
    private let store: ImageStore

    /// Bytes of a container's writable disk. It is sparse: only what is written takes room.
    public static let writableSize: UInt64 = 64 << 30

    public init(_ store: ImageStore) {
        self.store = store
    }

    public func disk(root: String) -> String? {
        guard let identifier = RootImage.Identifier(root) else { return nil }
        return (try? store.existingRootImage(identifier))?.path
    }

    public func makeWritableDisk(at path: String) throws(ContainerError) { try makeWritableDisk(at: path, size: Self.writableSize) }

    public func makeWritableDisk(at path: String, size: UInt64) throws(ContainerError) {
        do throws(ImageError) {
            try WritableLayer.make(at: path, size: size, store: store)
        } catch {
            throw .failed("\(error)")
        }
    }

    /// Unpacks an image of the store, unless that has been done, for a container.
    ///
    /// - Parameters:
    ///   - name: as the user named it.
    ///   - progress: see `ImageStore.rootImage`.
    public func prepare(
        _ image: StoredImage, name: String, maximumUnpacked: UInt64 = ImageStore.defaultMaximumUnpacked,
        progress: (@Sendable (UnpackProgress) -> Void)? = nil
    ) async throws(ContainerError) -> PreparedImage {
        try await BlockingWork.run { () throws(ContainerError) in
            do throws(ImageError) {
                let root = try store.rootImage(for: image, maximumUnpacked: maximumUnpacked, progress: progress)
                return PreparedImage(name: name, digest: image.manifest.digest.description, root: root.identifier.description,
                                     disk: root.path, settings: ImageSettings(image.configuration), hold: root)
            } catch {
                throw .failed("\(error)")
            }
        }
    }
}

extension ImageSettings {
    init(_ configuration: ImageConfiguration) {
        self.init()
        let process = configuration.config
        (entrypoint, command, environment) = (process.entrypoint, process.cmd, process.env)
        (user, workingDirectory, labels) = (process.user, process.workingDir, process.labels)
        (stopSignal, volumes) = (process.stopSignal, process.volumes)
        exposedPorts = process.exposedPorts.compactMap { exposed in
            ContainerPort.Transport(rawValue: exposed.transport).map { ContainerPort(host: 0, container: exposed.port, transport: $0) }
        }
        if let shell = process.shell, !shell.isEmpty { self.shell = shell }
        guard let check = process.healthcheck, !check.test.isEmpty else { return }
        healthTest = check.test
        // Nanoseconds; 0 is the default.
        func milliseconds(_ value: Int64) -> UInt64? { value > 0 ? UInt64(value) / 1_000_000 : nil }
        (healthInterval, healthTimeout) = (milliseconds(check.interval), milliseconds(check.timeout))
        healthStartPeriod = milliseconds(check.startPeriod)
        healthRetries = check.retries > 0 ? UInt32(clamping: check.retries) : nil
    }
}
