import OCI

/// What happens while an image is pulled or pushed. Reported from several tasks at the same time.
public enum TransferProgress: Sendable {
    /// The image is known, and these are its parts: the configuration, then the layers from the lowest up.
    case resolved(manifest: Descriptor, blobs: [Descriptor])
    case blob(Digest, BlobProgress)
    /// Something failed that is tried again after a while.
    case retrying(RegistryError, after: Duration)
}

public enum BlobProgress: Sendable, Equatable {
    /// It is where it is wanted already.
    case present
    /// This many bytes are there, of the size that the descriptor has.
    case transferred(UInt64)
    /// All bytes are there; they are checked and made durable.
    case finished
}

/// When a registry is asked for an image.
public enum PullPolicy: String, Sendable, CaseIterable {
    /// Always; what has not changed is not fetched again.
    case always
    /// When the store does not have it.
    case missing
    /// As `always`, but what the store has does when the registry cannot be reached.
    case newer
    case never
}
