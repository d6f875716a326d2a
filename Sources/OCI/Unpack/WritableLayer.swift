/// A container's own writable disk: an ext4 file system with a journal in a sparse file.
public enum WritableLayer {
    /// Makes the file, which must not exist, of `size` bytes, a multiple of 4096 and at least 16 MiB. Takes milliseconds: what is
    /// not zero in an empty file system of that size is copied from a template, which is made in the store when it is missing.
    public static func make(at path: String, size: UInt64, store: ImageStore) throws(ImageError) {
        throw .unsupported(what: path, reason: "not in this version")
    }
}
