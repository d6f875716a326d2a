import ConformanceC
import Glibc

private func set(_ path: String, _ name: String, _ value: [UInt8], _ flags: Int32 = 0) -> Int32 {
    setxattr(path, name, value, value.count, flags)
}

/// Ends the case where the file system keeps no such attributes.
private func makeAttribute(_ path: String, _ name: String, _ value: [UInt8]) {
    supported("setxattr", unless: EOPNOTSUPP, result: set(path, name, value))
}

private func value(_ path: String, _ name: String) -> [UInt8] {
    var buffer = [UInt8](repeating: 0, count: 65536)
    let count = ok("getxattr", getxattr(path, name, &buffer, buffer.count))
    return Array(buffer[..<count])
}

/// The names of the user's attributes, sorted.
private func attributeNames(_ path: String) -> [String] {
    var buffer = [CChar](repeating: 0, count: 65536)
    let count = ok("listxattr", listxattr(path, &buffer, buffer.count))
    return buffer[..<count].split(separator: 0).map { String(decoding: $0.map { UInt8(bitPattern: $0) }, as: UTF8.self) }
        .filter { $0.hasPrefix("user.") }.sorted()
}

func addAttributeCases(_ suite: inout Suite) {
    let values: [(String, [UInt8])] = [
        ("empty", []), ("of one byte", [7]), ("of text", Array("value".utf8)), ("of zeros", [0, 0, 0]),
        ("of all bytes", (0...255).map { UInt8($0) }), ("of 1,000 bytes", pattern(1000)), ("of 3,000 bytes", pattern(3000)),
    ]
    for (what, bytes) in values {
        suite.check("a value \(what) comes back") {
            create("f")
            makeAttribute("f", "user.a", bytes)
            sameBytes("value", value("f", "user.a"), bytes)
            same("size", getxattr("f", "user.a", nil, 0), bytes.count)
        }
    }
    for size in [16_000, 65_000, 65_536] {
        suite.check("a value of \(size) bytes comes back, or is refused for its size") {
            create("f")
            makeAttribute("f", "user.b", [1])
            supported("setxattr", unless: ENOSPC, E2BIG, ERANGE, result: set("f", "user.a", pattern(size)))
            sameBytes("value", value("f", "user.a"), pattern(size))
        }
    }
    suite.check("a value of 65,537 bytes is refused") {
        create("f")
        makeAttribute("f", "user.b", [1])
        refused(E2BIG, by: "setxattr", set("f", "user.a", pattern(65_537)))
    }
    suite.check("a value is replaced by a shorter and a longer one") {
        create("f")
        makeAttribute("f", "user.a", Array("middle".utf8))
        ok("setxattr", set("f", "user.a", [1]))
        sameBytes("value", value("f", "user.a"), [1])
        ok("setxattr", set("f", "user.a", pattern(500)))
        sameBytes("value", value("f", "user.a"), pattern(500))
    }
    suite.check("XATTR_CREATE refuses an attribute that is there") {
        create("f")
        makeAttribute("f", "user.b", [1])
        ok("setxattr", set("f", "user.a", [1], 1))
        refused(EEXIST, by: "setxattr", set("f", "user.a", [2], 1))
        sameBytes("value", value("f", "user.a"), [1])
    }
    suite.check("XATTR_REPLACE refuses an attribute that is not there") {
        create("f")
        makeAttribute("f", "user.b", [1])
        refused(ENODATA, by: "setxattr", set("f", "user.a", [1], 2))
        ok("setxattr", set("f", "user.b", [2], 2))
        sameBytes("value", value("f", "user.b"), [2])
        same("names", attributeNames("f"), ["user.b"])
    }
    suite.check("an attribute that is not there is refused") {
        create("f")
        makeAttribute("f", "user.b", [1])
        refused(ENODATA, by: "getxattr", getxattr("f", "user.a", nil, 0))
        refused(ENODATA, by: "removexattr", removexattr("f", "user.a"))
    }
    suite.check("a buffer that is too small is refused") {
        create("f")
        makeAttribute("f", "user.a", pattern(10))
        var buffer = [UInt8](repeating: 0, count: 9)
        refused(ERANGE, by: "getxattr", getxattr("f", "user.a", &buffer, 9))
        var names = [CChar](repeating: 0, count: 3)
        refused(ERANGE, by: "listxattr", listxattr("f", &names, 3))
    }
    suite.check("the list has every name") {
        create("f")
        makeAttribute("f", "user.a", [1])
        let wanted = (0..<30).map { "user.name-\($0)" }
        for name in wanted { ok("setxattr", set("f", name, [1])) }
        same("names", attributeNames("f"), (wanted + ["user.a"]).sorted())
        let size = listxattr("f", nil, 0)
        holds("the size of the list is at least the names'", size >= wanted.reduce(0) { $0 + $1.utf8.count + 1 })
    }
    suite.check("a new file has no user attributes") {
        create("f")
        makeDirectory("d")
        makeAttribute("d", "user.a", [1])
        same("names", attributeNames("f"), [])
        ok("removexattr", removexattr("d", "user.a"))
        same("names", attributeNames("d"), [])
    }
    suite.check("removal takes one attribute") {
        create("f")
        makeAttribute("f", "user.a", [1])
        ok("setxattr", set("f", "user.b", [2]))
        ok("removexattr", removexattr("f", "user.a"))
        same("names", attributeNames("f"), ["user.b"])
        sameBytes("value", value("f", "user.b"), [2])
    }
    suite.check("directories have them, too") {
        makeDirectory("d")
        makeAttribute("d", "user.a", pattern(100))
        sameBytes("value", value("d", "user.a"), pattern(100))
        same("names", attributeNames("d"), ["user.a"])
    }
    suite.check("symbolic links have none of the user's") {
        create("f")
        makeAttribute("f", "user.a", [1])
        ok("symlink", symlink("f", "s"))
        refused(EPERM, EOPNOTSUPP, by: "lsetxattr", lsetxattr("s", "user.a", [1], 1, 0))
        sameBytes("value by the link", value("s", "user.a"), [1])
    }
    suite.check("they go with the file through a rename and are those of all its links") {
        create("f")
        makeAttribute("f", "user.a", [1])
        ok("link", link("f", "g"))
        ok("rename", rename("f", "h"))
        sameBytes("value", value("h", "user.a"), [1])
        sameBytes("value", value("g", "user.a"), [1])
    }
    suite.check("a descriptor and a name find the same") {
        create("f")
        makeAttribute("f", "user.a", [1])
        let file = openFile("f", O_RDONLY)
        ok("fsetxattr", fsetxattr(file, "user.b", [2], 1, 0))
        sameBytes("value", value("f", "user.b"), [2])
        ok("fremovexattr", fremovexattr(file, "user.a"))
        same("names", attributeNames("f"), ["user.b"])
        same("size of the list", flistxattr(file, nil, 0), listxattr("f", nil, 0))
    }
    suite.check("a name of 255 bytes is kept, a longer one refused") {
        create("f")
        makeAttribute("f", "user.a", [1])
        let name = "user." + String(repeating: "n", count: 250)
        ok("setxattr", set("f", name, [1]))
        sameBytes("value", value("f", name), [1])
        refused(ERANGE, by: "setxattr", set("f", name + "n", [1]))
    }
    suite.check("names without a known prefix are refused") {
        create("f")
        refused(EOPNOTSUPP, by: "setxattr", set("f", "nonsense", [1]))
        refused(EOPNOTSUPP, by: "setxattr", set("f", "unknown.a", [1]))
        refused(EOPNOTSUPP, EINVAL, by: "setxattr", set("f", "user.", [1]))
    }
    suite.check("of a missing file they are refused") {
        refused(ENOENT, by: "getxattr", getxattr("no", "user.a", nil, 0))
        refused(ENOENT, by: "setxattr", set("no", "user.a", [1]))
        refused(ENOENT, by: "listxattr", listxattr("no", nil, 0))
    }
    suite.check("they change the status time and not the modification time") {
        create("f")
        makeAttribute("f", "user.b", [1])
        let before = status("f")
        waitForTick(after: before.changed)
        ok("setxattr", set("f", "user.a", [1]))
        holds("the status time is later", status("f").changed > before.changed)
        same("modification time", status("f").modified, before.modified)
    }
    suite.checkAsRoot("trusted attributes are kept for root, or refused") {
        create("f")
        supported("setxattr", unless: EOPNOTSUPP, EPERM, result: set("f", "trusted.a", [1, 2]))
        sameBytes("value", value("f", "trusted.a"), [1, 2])
        asUser(1000) { refused(ENODATA, EPERM, by: "getxattr", getxattr("f", "trusted.a", nil, 0)) }
    }
    suite.checkAsRoot("who may not write may not set them") {
        create("f", mode: 0o644)
        makeAttribute("f", "user.a", [1])
        asUser(1000) {
            same("size", getxattr("f", "user.a", nil, 0), 1)
            refused(EACCES, EPERM, by: "setxattr", set("f", "user.b", [1]))
            refused(EACCES, EPERM, by: "removexattr", removexattr("f", "user.a"))
        }
    }
}
