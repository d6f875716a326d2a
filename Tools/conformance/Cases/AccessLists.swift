import ConformanceC
import Glibc

/// POSIX access control lists as the kernel has them in extended attributes: <linux/posix_acl_xattr.h>.
private enum Tag: UInt16 {
    case owner = 1, user = 2, owningGroup = 4, group = 8, mask = 16, others = 32
}

private func list(_ entries: [(Tag, UInt16, UInt32)]) -> [UInt8] {
    var bytes: [UInt8] = [2, 0, 0, 0]
    for (tag, permissions, id) in entries {
        for value in [tag.rawValue, permissions] { bytes += [UInt8(value & 255), UInt8(value >> 8)] }
        for shift in stride(from: UInt32(0), to: 32, by: 8) { bytes.append(UInt8(id >> shift & 255)) }
    }
    return bytes
}

private let nobody = UInt32.max
private let access = "system.posix_acl_access", inherited = "system.posix_acl_default"
/// The owner may all, user 1000 may read and write, everybody else nothing.
private let forUser1000 = list([(.owner, 7, nobody), (.user, 6, 1000), (.owningGroup, 0, nobody), (.mask, 6, nobody),
                                (.others, 0, nobody)])

private func set(_ path: String, _ name: String, _ value: [UInt8]) {
    supported("setxattr of \(name)", unless: EOPNOTSUPP, result: setxattr(path, name, value, value.count, 0))
}

private func value(_ path: String, _ name: String) -> [UInt8] {
    var buffer = [UInt8](repeating: 0, count: 1024)
    let count = ok("getxattr of \(name)", getxattr(path, name, &buffer, buffer.count))
    return Array(buffer[..<count])
}

func addAccessListCases(_ suite: inout Suite) {
    suite.check("a list comes back as it was set, or is refused") {
        create("f")
        set("f", access, forUser1000)
        sameBytes("list", value("f", access), forUser1000)
    }
    suite.check("a list sets the mode's bits: the group's are the mask") {
        create("f", mode: 0o600)
        set("f", access, forUser1000)
        same("mode", permissions(status("f")), 0o760)
    }
    suite.check("chmod changes the list's mask") {
        create("f")
        set("f", access, forUser1000)
        ok("chmod", chmod("f", 0o740))
        sameBytes("list", value("f", access), list([(.owner, 7, nobody), (.user, 6, 1000), (.owningGroup, 0, nobody),
                                                   (.mask, 4, nobody), (.others, 0, nobody)]))
    }
    suite.checkAsRoot("a list gives a user rights that the mode does not") {
        create("f", "data", mode: 0o600)
        set("f", access, forUser1000)
        asUser(1000) { close(openFile("f", O_RDWR)) }
        asUser(1001) { refused(EACCES, by: "open", fc_open("f", O_RDONLY, 0)) }
    }
    suite.checkAsRoot("a list takes from a user rights that the mode gives") {
        create("f", "data", mode: 0o644)
        set("f", access, list([(.owner, 6, nobody), (.user, 0, 1000), (.owningGroup, 4, nobody), (.mask, 4, nobody),
                               (.others, 4, nobody)]))
        asUser(1000) { refused(EACCES, by: "open", fc_open("f", O_RDONLY, 0)) }
        asUser(1001) { close(openFile("f", O_RDONLY)) }
    }
    suite.check("a directory's default list is inherited") {
        makeDirectory("d")
        set("d", inherited, forUser1000)
        create("d/f")
        makeDirectory("d/sub")
        sameBytes("default list of a directory", value("d/sub", inherited), forUser1000)
        same("size of the file's list", value("d/f", access).count, forUser1000.count)
    }
    suite.check("a removed list leaves the mode") {
        create("f")
        set("f", access, forUser1000)
        ok("removexattr", removexattr("f", access))
        refused(ENODATA, by: "getxattr", getxattr("f", access, nil, 0))
        same("mode", permissions(status("f")), 0o760)
    }
    suite.check("a default list of a file is refused") {
        create("f")
        makeDirectory("d")
        set("d", inherited, forUser1000)
        refused(EACCES, EINVAL, EPERM, EOPNOTSUPP, by: "setxattr",
                setxattr("f", inherited, forUser1000, forUser1000.count, 0))
    }
    suite.check("a list that makes no sense is refused") {
        create("f")
        set("f", access, forUser1000)
        refused(EINVAL, EOPNOTSUPP, by: "setxattr", setxattr("f", access, [9, 9, 9], 3, 0))
        refused(EINVAL, by: "setxattr of a list without an owner", {
            let bytes = list([(.user, 6, 1000), (.others, 0, nobody)])
            return setxattr("f", access, bytes, bytes.count, 0)
        }())
        sameBytes("list", value("f", access), forUser1000)
    }
}
