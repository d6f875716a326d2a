import ConformanceC
import Glibc

/// A name of any bytes, as C has it.
private func cName(_ bytes: [UInt8]) -> [CChar] { bytes.map { CChar(bitPattern: $0) } + [0] }

func addNameCases(_ suite: inout Suite) {
    let special: [(String, [UInt8])] = [
        ("a space", [32]), ("spaces around", Array(" a ".utf8)), ("a newline", Array("a\nb".utf8)), ("a tab", [9]),
        ("a backslash", Array("a\\b".utf8)), ("a colon", Array("c:d".utf8)), ("a leading dash", Array("-rf".utf8)),
        ("three dots", Array("...".utf8)), ("a leading dot", Array(".hidden".utf8)), ("a trailing dot", Array("name.".utf8)),
        ("an asterisk", Array("*?[]".utf8)), ("a quote", Array("'\"`$".utf8)), ("UTF-8", Array("grün-日本-😀".utf8)),
        ("bytes that are no UTF-8", [0xFF, 0xFE, 0xC0, 0x80]), ("half of a character", [0xE6, 0x97]),
        ("composed and decomposed letters", Array("u\u{308}".utf8)), ("DEL", [127]), ("a single byte 1", [1]),
    ]
    for (what, bytes) in special {
        suite.check("a name with \(what) is kept as it is") {
            let name = cName(bytes)
            let file = ok("open", fc_open(name, O_WRONLY | O_CREAT | O_EXCL, 0o644))
            close(file)
            let found = entries().map(\.name).filter { $0 != [46] && $0 != [46, 46] }
            same("entries", found, [bytes])
            var attributes = stat()
            ok("lstat", lstat(name, &attributes))
            ok("rename", rename(name, "plain"))
            ok("rename", rename("plain", name))
            ok("unlink", unlink(name))
            same("entries", names(), [])
        }
    }
    suite.check("every byte but the slash and 0 can be in a name") {
        var wanted: [[UInt8]] = []
        for byte in UInt8(1)...255 where byte != 47 {
            let bytes = [97, byte, 98]
            wanted.append(bytes)
            close(ok("open of byte \(byte)", fc_open(cName(bytes), O_WRONLY | O_CREAT | O_EXCL, 0o644)))
        }
        let found = entries().map(\.name).filter { $0.count == 3 }
        same("names", found.count, wanted.count)
        same("bytes", Set(found.map { $0[1] }).count, wanted.count)
    }
    suite.check("names that differ in case are different files") {
        create("name", "1")
        create("NAME", "2")
        sameContents("name", "1")
        same("entries", names().count, 2)
    }
    let longest = String(repeating: "x", count: 255), tooLong = String(repeating: "x", count: 256)
    let makers: [(String, (String) -> Int32)] = [
        ("open", { fc_open($0, O_WRONLY | O_CREAT, 0o644) }), ("mkdir", { mkdir($0, 0o755) }),
        ("symlink", { symlink("x", $0) }), ("mknod", { mknod($0, S_IFREG | 0o600, 0) }),
        ("link", { create("source"); return link("source", $0) }),
        ("rename", { create("source"); return rename("source", $0) }),
    ]
    for (call, make) in makers {
        suite.check("\(call) takes a name of 255 bytes") {
            ok(call, make(longest))
            same("entries", names().filter { $0 == longest }, [longest])
            same("inode", entries().first { $0.text == longest }?.inode, UInt64(status(longest).st_ino))
        }
        suite.check("\(call) refuses a name of 256 bytes") {
            refused(ENAMETOOLONG, by: call, make(tooLong))
            same("entries", names().filter { $0 != "source" }, [])
        }
    }
    let lookups: [(String, (String) -> Int32)] = [
        ("stat", { var found = stat(); return stat($0, &found) }), ("unlink", { unlink($0) }), ("rmdir", { rmdir($0) }),
        ("open", { fc_open($0, O_RDONLY, 0) }), ("chmod", { chmod($0, 0o600) }), ("truncate", { truncate($0, 0) }),
    ]
    for (call, lookUp) in lookups {
        suite.check("\(call) of a name of 256 bytes is refused") { refused(ENAMETOOLONG, by: call, lookUp(tooLong)) }
    }
    suite.check("a path of 4095 bytes works, one of 4096 is refused") {
        // "./" again and again before a short name.
        let path = String(repeating: "./", count: 2047) + "f"
        create(path, "data")
        sameContents("f", "data")
        refused(ENAMETOOLONG, by: "open", fc_open("./" + path, O_RDONLY, 0))
    }
    suite.check("multiple slashes are one") {
        makeDirectory("d")
        create("d//f", "data")
        sameContents("d///f", "data")
        sameContents(".//d/./f", "data")
    }
    suite.check("names with a percent sign and digits are kept") {
        for name in ["%2F", "%00", "%s%n", "a%"] { create(name) }
        same("entries", names().count, 4)
    }
    suite.check("names that begin as the mapping's attributes do are ordinary") {
        for name in [".svmm", "user.svmm", ".virtfs_metadata"] {
            create(name, "x")
            sameContents(name, "x")
        }
        same("entries", names().count, 3)
    }
}
