import Containers
import OCI

/// What containers need of the store: it is not removed under them.
struct ImageUse {
    /// Of each container: its name, its image's manifest, and its root image.
    var containers: [Container] = []

    struct Container {
        var name: String
        var manifest: Digest
        var root: RootImage.Identifier?
    }

    /// Of all containers in this directory.
    static func find(root: String) throws -> ImageUse {
        let found = try ContainerRuntime.imageUse(root: root)
        return ImageUse(containers: found.compactMap { use in
            guard let digest = try? Digest(use.digest) else { return nil }
            return Container(name: use.name, manifest: digest, root: RootImage.Identifier(use.root))
        })
    }

    /// The names of the containers that an image is used by.
    func users(of image: StoredImage) -> [String] {
        containers.filter { $0.manifest == image.manifest.digest }.map(\.name)
    }

    /// Removes what neither an image nor a container needs.
    func collectGarbage(in store: ImageStore) throws -> CollectedGarbage {
        try store.collectGarbage(keeping: Set(containers.map(\.manifest)), roots: Set(containers.compactMap(\.root)))
    }
}
