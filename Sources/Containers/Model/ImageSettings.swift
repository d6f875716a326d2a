/// An image that containers can be made from: unpacked, on the host's disk.
public struct PreparedImage: Sendable {
    /// As the user named it.
    public var name: String
    /// Digest of its manifest.
    public var digest: String
    /// Name of its root file system in the store.
    public var root: String
    /// Path of the read-only disk image with it.
    public var disk: String
    public var settings: ImageSettings
    /// What keeps the disk image from being collected as garbage until a container has it.
    let hold: (any Sendable)?

    public init(name: String, digest: String, root: String, disk: String, settings: ImageSettings, hold: (any Sendable)? = nil) {
        self.hold = hold
        self.name = name
        self.digest = digest
        self.root = root
        self.disk = disk
        self.settings = settings
    }
}

/// What an image's configuration says about its process.
public struct ImageSettings: Sendable, Equatable {
    public var entrypoint: [String] = []
    public var command: [String] = []
    /// NAME=VALUE
    public var environment: [String] = []
    public var user = ""
    public var workingDirectory = ""
    public var labels: [String: String] = [:]
    public var stopSignal: String?
    /// `CMD` and words, `CMD-SHELL` and a line, or `NONE`; nil: no check. Times in milliseconds, nil where the image has none.
    public var healthTest: [String]?
    public var healthInterval: UInt64?
    public var healthTimeout: UInt64?
    public var healthStartPeriod: UInt64?
    public var healthRetries: UInt32?
    /// What runs a line of `CMD-SHELL`.
    public var shell = ["/bin/sh", "-c"]
    /// Directories that are to be volumes.
    public var volumes: [String] = []
    /// Ports that it serves; those of the host are 0.
    public var exposedPorts: [ContainerPort] = []

    public init() {}
}

/// Where the engine gets images, and disks for what containers write.
public protocol ContainerImages: Sendable {
    /// Where the disk image of this root file system is (`PreparedImage.root`); nil when it is not there any more.
    func disk(root: String) -> String?
    /// Makes a sparse disk image at the path with an empty file system for what a container writes.
    func makeWritableDisk(at path: String) throws(ContainerError)
    /// The same of so many bytes, a multiple of 4096 in `ContainerVolume.sizes`, for a volume.
    func makeWritableDisk(at path: String, size: UInt64) throws(ContainerError)
}
