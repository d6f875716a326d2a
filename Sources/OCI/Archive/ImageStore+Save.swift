extension ImageStore {
    /// Writes images with all their names to a file, a directory for `.ociDirectory`, or standard output (`-`). A file gets its
    /// name when it is whole.
    public func save(_ images: [StoredImage], as format: ArchiveFormat, to path: String) throws(ImageError) {
        throw .unsupported(what: path, reason: "not in this version")
    }
}
