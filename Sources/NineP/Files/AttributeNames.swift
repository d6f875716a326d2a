import LinuxSystem

/// Which extended attribute of the host a client's attribute is.
enum AttributeNames {
    private static let reserved = Array("user.svmm.".utf8)
    private static let kept = Array("user.svmm.x.".utf8)
    private static let user = Array("user.".utf8)
    private static let accessControl = Array("system.posix_acl_".utf8)

    /// Throws `.noAttribute` for names that are the server's own, `.notSupported` for those the share has no use for.
    static func hostName(_ name: some Collection<UInt8>, _ ownership: Ownership) throws(Errno) -> AttributeName {
        if name.starts(with: reserved) { throw .noAttribute }
        switch ownership {
        case .passthrough:
            return try AttributeName(name)
        case .mapped:
            if name.starts(with: user) { return try AttributeName(name) }
            return try AttributeName(kept + Array(name))
        case .squash:
            // An access control list names users, and the share knows only one.
            if name.starts(with: accessControl) { throw .notSupported }
            return try AttributeName(name)
        }
    }

    /// The list that a client sees: names with a NUL behind each.
    static func visible(_ list: UnsafeRawBufferPointer, _ ownership: Ownership) -> [UInt8] {
        var result: [UInt8] = []
        for name in list.split(separator: 0) {
            if name.starts(with: kept), ownership == .mapped {
                result += name.dropFirst(kept.count)
            } else if name.starts(with: reserved) {
                continue
            } else if ownership == .mapped, !name.starts(with: user) {
                // The host's own, such as a security label: not what a client of a mapped share may read.
                continue
            } else if case .squash = ownership, name.starts(with: accessControl) {
                continue
            } else {
                result += name
            }
            result.append(0)
        }
        return result
    }
}
