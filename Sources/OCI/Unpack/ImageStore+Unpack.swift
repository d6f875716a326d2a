/// How far unpacking is.
public struct UnpackProgress: Sendable, Equatable {
    /// Bytes of the compressed layers that are done, and of all of them.
    public var done: UInt64
    public var total: UInt64
}

extension ImageStore {
    /// What an image may unpack to without `--max-unpacked`: 64 GiB.
    public static let defaultMaximumUnpacked: UInt64 = 64 << 30

    /// The image's root image, made from its layers unless it exists. While another process or thread makes it, waits for it.
    ///
    /// - Parameters:
    ///   - maximumUnpacked: bytes of the layers' tars together; more throws `.unpackedTooLarge`.
    ///   - progress: called on the calling thread about every mebibyte.
    public func rootImage(
        for image: StoredImage, maximumUnpacked: UInt64 = defaultMaximumUnpacked,
        progress: ((UnpackProgress) -> Void)? = nil
    ) throws(ImageError) -> RootImage {
        if let existing = try existingRootImage(RootImage.Identifier(image.configuration)) { return existing }
        throw .unsupported(what: image.title, reason: "unpacking is not in this version")
    }
}
