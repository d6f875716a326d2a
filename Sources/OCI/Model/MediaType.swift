/// What a descriptor points to, by the media types of the OCI image-spec (media-types.md) and of Docker's schema 2.
public enum MediaType {
    public static let index = "application/vnd.oci.image.index.v1+json"
    public static let manifest = "application/vnd.oci.image.manifest.v1+json"
    public static let configuration = "application/vnd.oci.image.config.v1+json"
    public static let layer = "application/vnd.oci.image.layer.v1.tar"
    public static let layerGzip = "application/vnd.oci.image.layer.v1.tar+gzip"
    public static let layerZstd = "application/vnd.oci.image.layer.v1.tar+zstd"

    public static let dockerManifestList = "application/vnd.docker.distribution.manifest.list.v2+json"
    public static let dockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
    public static let dockerConfiguration = "application/vnd.docker.container.image.v1+json"
    public static let dockerLayer = "application/vnd.docker.image.rootfs.diff.tar"
    public static let dockerLayerGzip = "application/vnd.docker.image.rootfs.diff.tar.gzip"
    public static let dockerLayerZstd = "application/vnd.docker.image.rootfs.diff.tar.zstd"

    /// Docker's schema 1: recognized to be refused by name.
    static let dockerSchema1 = ["application/vnd.docker.distribution.manifest.v1+json",
                                "application/vnd.docker.distribution.manifest.v1+prettyjws"]

    /// Those of manifests and indexes, for the Accept header of a registry request.
    public static let manifests = [index, manifest, dockerManifestList, dockerManifest]

    public static func isIndex(_ type: String) -> Bool { type == index || type == dockerManifestList }
    public static func isManifest(_ type: String) -> Bool { type == manifest || type == dockerManifest }
    public static func isConfiguration(_ type: String) -> Bool { type == configuration || type == dockerConfiguration }

    /// How the tar of a layer is compressed; nil for what is not a layer that can be unpacked.
    ///
    /// The layers that are "not distributable" are layers like others once somebody has them.
    public static func compression(ofLayer type: String) -> LayerCompression? {
        switch type {
        case layer, dockerLayer, "application/vnd.oci.image.layer.nondistributable.v1.tar": .uncompressed
        case layerGzip, dockerLayerGzip, "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
             "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip": .gzip
        case layerZstd, dockerLayerZstd, "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd": .zstd
        default: nil
        }
    }
}

public enum LayerCompression: String, Sendable, CaseIterable {
    case uncompressed
    case gzip
    case zstd
}
