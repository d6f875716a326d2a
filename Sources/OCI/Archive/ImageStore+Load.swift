extension ImageStore {
    /// Brings images of a directory or an archive into the store.
    ///
    /// The images get the names that the source gives them; a bare tag is completed to `localhost/FILE:TAG`. Nothing is named
    /// unless all of the source was good.
    ///
    /// - Parameters:
    ///   - name: a name for the image instead of those; the source has one image then, or names one.
    ///   - platform: what is taken of an image for several platforms.
    public func load(
        _ source: ImageSource, as name: ImageReference? = nil, platform: Platform = .host
    ) throws(ImageError) -> [StoredImage] {
        throw .unsupported(what: "\(source)", reason: "not in this version")
    }
}
