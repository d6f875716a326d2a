import Crypto
import LinuxSystem

/// Computes a digest piece by piece. Any thread, one at a time.
public struct ContentHasher: Sendable {
    private enum State: Sendable {
        case sha256(SHA256)
        case sha512(SHA512)
    }

    private var state: State

    public init(_ algorithm: Digest.Algorithm = .sha256) {
        state = algorithm == .sha256 ? .sha256(SHA256()) : .sha512(SHA512())
    }

    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        switch state {
        case .sha256(var hash):
            // The copy would be the second owner: a hash that is in use by one owner only is updated in place.
            state = .sha256(SHA256())
            hash.update(bufferPointer: bytes)
            state = .sha256(hash)
        case .sha512(var hash):
            state = .sha512(SHA512())
            hash.update(bufferPointer: bytes)
            state = .sha512(hash)
        }
    }

    /// The digest of everything so far.
    public func digest() -> Digest {
        switch state {
        case .sha256(let hash): Digest(.sha256, hash: hash.finalize())
        case .sha512(let hash): Digest(.sha512, hash: hash.finalize())
        }
    }
}

extension Digest {
    /// The digest of bytes in memory.
    public init(of bytes: some Sequence<UInt8>, _ algorithm: Algorithm = .sha256) {
        var hasher = ContentHasher(algorithm)
        Array(bytes).withUnsafeBytes { hasher.update($0) }
        self = hasher.digest()
    }
}
