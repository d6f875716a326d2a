/// A volume that a container sees.
public struct VolumeMount: Codable, Sendable, Equatable {
    /// nil: a new one, without a name of a user's; it has its name when the container is made.
    public var name: String?
    public var destination: String
    public var options: MountOptions
    /// Whether it is removed with the container when that is asked for.
    public var isAnonymous: Bool
    /// Whether the volume, when it is used for the first time, gets what the image has at the destination.
    public var copiesImage: Bool
    /// What it is to be where there is none of that name; nil: as usual.
    public var creation: VolumeOptions?

    public init(
        name: String?, destination: String, options: MountOptions = [], copiesImage: Bool = true, creation: VolumeOptions? = nil
    ) {
        self.name = name
        self.destination = destination
        self.options = options
        self.copiesImage = copiesImage
        self.creation = creation
        isAnonymous = name == nil
    }
}

extension ContainerConfiguration {
    /// The volumes that the container sees; those of a container that was made have names.
    var volumeMounts: [VolumeMount] {
        mounts.compactMap { if case .volume(let mount) = $0 { mount } else { nil } }
    }

    func uses(volume name: String) -> Bool { volumeMounts.contains { $0.name == name } }
}
