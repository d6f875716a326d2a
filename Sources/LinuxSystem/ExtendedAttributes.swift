import CLinux
import Glibc

// Of files that are open for more than their path.
extension FileDescriptor {
    /// Reads a value; returns its size. Throws `.outOfRange` when it is larger than the buffer. The corresponding C
    /// function is `fgetxattr`.
    public func attributeValue(_ name: AttributeName, into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int {
        try LinuxSystem.attributeValue(of: raw, name, into: buffer)
    }

    /// Reads the names, each with a NUL behind it; returns the bytes. Throws `.outOfRange` when they are more than the
    /// buffer holds. The corresponding C function is `flistxattr`.
    public func attributeNames(into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int {
        let characters = buffer.assumingMemoryBound(to: CChar.self)
        return try once { flistxattr(raw, characters.baseAddress, characters.count) }
    }

    /// The corresponding C function is `fsetxattr`.
    public func setAttribute(_ name: AttributeName, _ value: [UInt8], _ condition: AttributeCondition) throws(Errno) {
        _ = try once { fsetxattr(raw, name.characters, value, value.count, condition.rawValue) }
    }

    /// The corresponding C function is `fremovexattr`.
    public func removeAttribute(_ name: AttributeName) throws(Errno) {
        _ = try once { fremovexattr(raw, name.characters) }
    }
}

/// What must hold before an extended attribute is set.
public enum AttributeCondition: Int32, Sendable {
    case none = 0
    /// It does not exist (XATTR_CREATE).
    case absent = 1
    /// It exists (XATTR_REPLACE).
    case present = 2
}

extension Errno {
    /// There is no such extended attribute.
    public static let noAttribute = Errno(rawValue: ENODATA)
    public static let notSupported = Errno(rawValue: EOPNOTSUPP)
    public static let badDescriptor = Errno(rawValue: EBADF)
    public static let notDirectory = Errno(rawValue: ENOTDIR)
    public static let readOnlyFileSystem = Errno(rawValue: EROFS)
    public static let crossDevice = Errno(rawValue: EXDEV)
    public static let stale = Errno(rawValue: ESTALE)
    public static let busy = Errno(rawValue: EBUSY)
    public static let tooManyLinks = Errno(rawValue: ELOOP)
    public static let tooManyFiles = Errno(rawValue: EMFILE)
    public static let noLocks = Errno(rawValue: ENOLCK)
    public static let messageSize = Errno(rawValue: EMSGSIZE)
    public static let protocolError = Errno(rawValue: EPROTO)
    public static let argumentTooLarge = Errno(rawValue: E2BIG)
}

/// As `FileDescriptor.attributeValue`, of a descriptor that somebody else owns. The corresponding C function is
/// `fgetxattr`.
public func attributeValue(
    of raw: Int32, _ name: AttributeName, into buffer: UnsafeMutableRawBufferPointer
) throws(Errno) -> Int {
    try once { fgetxattr(raw, name.characters, buffer.baseAddress, buffer.count) }
}
