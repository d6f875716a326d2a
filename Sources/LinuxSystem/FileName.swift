/// One component of a path, as the kernel sees it: 1 to 255 bytes, any but `/` and NUL, and neither `.` nor `..`.
///
/// A name is not text: its bytes need not be UTF-8, and two that look alike are two names.
public struct FileName: Sendable, Hashable {
    /// With the NUL that ends it.
    let characters: [CChar]

    /// The longest name, in bytes (NAME_MAX).
    public static let maximumLength = 255

    /// Throws `.nameTooLong` for more than 255 bytes, `.invalidArgument` for every other name that is none.
    public init(_ bytes: some Collection<UInt8>) throws(Errno) {
        guard bytes.count <= Self.maximumLength else { throw .nameTooLong }
        guard !bytes.isEmpty, !bytes.contains(0), !bytes.contains(UInt8(ascii: "/")) else { throw .invalidArgument }
        let dot = UInt8(ascii: ".")
        guard bytes.count > 2 || bytes.contains(where: { $0 != dot }) else { throw .invalidArgument }
        characters = terminated(bytes)
    }

    /// The bytes, without a NUL.
    public var bytes: [UInt8] { characters.dropLast().map { UInt8(bitPattern: $0) } }
}

/// What a symbolic link says: 1 to 4095 bytes without NUL. Nothing here follows one.
public struct LinkTarget: Sendable, Equatable {
    let characters: [CChar]

    /// The longest target, in bytes (PATH_MAX without the NUL).
    public static let maximumLength = 4095

    /// Throws what symlink(2) would: `.nameTooLong`, `.noEntry` for no bytes at all; `.invalidArgument` for a NUL.
    public init(_ bytes: some Collection<UInt8>) throws(Errno) {
        guard bytes.count <= Self.maximumLength else { throw .nameTooLong }
        guard !bytes.isEmpty else { throw .noEntry }
        guard !bytes.contains(0) else { throw .invalidArgument }
        characters = terminated(bytes)
    }
}

/// The name of an extended attribute (xattr(7)), with its namespace: 1 to 255 bytes without NUL.
public struct AttributeName: Sendable, Hashable {
    let characters: [CChar]

    /// The longest name, in bytes (XATTR_NAME_MAX).
    public static let maximumLength = 255

    /// Throws what setxattr(2) would: `.outOfRange` for a length it does not take; `.invalidArgument` for a NUL.
    public init(_ bytes: some Collection<UInt8>) throws(Errno) {
        guard !bytes.isEmpty, bytes.count <= Self.maximumLength else { throw .outOfRange }
        guard !bytes.contains(0) else { throw .invalidArgument }
        characters = terminated(bytes)
    }
}

private func terminated(_ bytes: some Collection<UInt8>) -> [CChar] {
    var characters: [CChar] = []
    characters.reserveCapacity(bytes.count + 1)
    for byte in bytes { characters.append(CChar(bitPattern: byte)) }
    characters.append(0)
    return characters
}
