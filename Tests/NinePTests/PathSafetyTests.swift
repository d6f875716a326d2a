import CLinux
import Glibc
import LinuxSystem
import NineP
import NinePSupport
import Synchronization
import Testing

@Suite("Nothing outside a share can be reached")
struct PathSafetyTests {
    private let tree = Tree()

    private static let badNames: [(String, Int32)] = [
        ("..", EINVAL), (".", EINVAL), ("", EINVAL), ("/", EINVAL), ("a/b", EINVAL), ("/etc", EINVAL), ("../x", EINVAL),
        ("a\0b", EINVAL), ("\0", EINVAL), (String(repeating: "n", count: 256), ENAMETOOLONG),
        (String(repeating: "n", count: 4000), ENAMETOOLONG),
    ]

    @Test("names that are none are refused everywhere")
    func names() throws {
        let client = try Client(tree.server())
        try client.mkdir(Client.root, "d")
        try tree.file(tree.inside("file"))
        let directory = try client.find("d")
        let file = try client.find("file")
        for (name, error) in Self.badNames {
            let refused = Refused(error)
            #expect(throws: refused) { try client.walk(directory, 99, [name.raw]) }
            #expect(throws: refused) { try client.walk(Client.root, 99, ["d".raw, name.raw]) }
            #expect(throws: refused) { try client.create(name, in: directory) }
            #expect(throws: refused) { try client.mkdir(directory, name) }
            #expect(throws: refused) { try client.symlink(directory, name, to: "x") }
            #expect(throws: refused) { try client.mknod(directory, name, mode: 0o600) }
            #expect(throws: refused) { try client.link(directory, file, name) }
            #expect(throws: refused) { try client.rename(file, directory, name) }
            #expect(throws: refused) { try client.renameat(Client.root, "file", directory, name) }
            #expect(throws: refused) { try client.renameat(directory, name, Client.root, "new") }
            #expect(throws: refused) { try client.unlinkat(directory, name) }
            #expect(throws: refused) { try client.unlinkat(directory, name, flags: 0x200) }
        }
        #expect(try client.list("d").isEmpty)
        #expect(throws: Refused(ENOENT)) { try client.symlink(directory, "link", to: "") }
        #expect(throws: Refused(EINVAL)) { try client.symlink(directory, "link", to: "a\0b") }
        let long = String(repeating: "x", count: 4096)
        #expect(throws: Refused(ENAMETOOLONG)) { try client.symlink(directory, "link", to: long) }
    }

    @Test("symbolic links are never followed, wherever they lead")
    func links() throws {
        let client = try Client(tree.server())
        try tree.file(tree.outside("secret"), "secret".raw)
        mkdir(tree.outside("private"), 0o755)
        try tree.file(tree.outside("private/file"), "secret".raw)
        mkdir(tree.inside("d"), 0o755)
        try tree.file(tree.inside("d/file"))
        let targets = ["../secret", tree.outside("secret"), "../private", tree.outside("private"), "d", "d/file", "/",
                       "/proc/self/root", "/proc/self/fd/0", "."]
        for (index, target) in targets.enumerated() {
            let name = "link\(index)"
            symlink(target, tree.inside(name))
            let link = try client.find(name)
            #expect(try client.readlink(link) == target.raw)
            #expect(try client.getattr(link).mode & S_IFMT == S_IFLNK)
            #expect(throws: Refused(ENOTDIR)) { try client.open(name, 0o200000) }
            for flags in [0, 1, 2, 0o1001] as [UInt32] {
                #expect(throws: Refused(ELOOP)) { try client.open(name, flags) }
                #expect(throws: Refused(ELOOP)) { try client.create(name, flags: flags) }
            }
            #expect(try client.walk(Client.root, 99, [name.raw, "file".raw]).count == 1)
            #expect(throws: Refused(ENOTDIR)) { try client.mkdir(link, "x") }
            #expect(throws: Refused(ENOTDIR)) { try client.create("x", in: link) }
            #expect(throws: Refused(EINVAL)) { try client.setattr(link, .size(0)) }
        }
        #expect(tree.contents(tree.outside("secret")) == "secret".raw)
        #expect(tree.contents(tree.outside("private/file")) == "secret".raw)
    }

    @Test("proc file systems are not shared, nor what is mounted of them below a share")
    func proc() throws {
        #expect(throws: ShareError.processes(path: "/proc")) {
            try NinePServer(share: Share(name: "p", path: "/proc", ownership: .passthrough))
        }
        let share = Share(name: "root", path: "/", isReadOnly: true, ownership: .passthrough)
        let client = try Client(NinePServer(share: share))
        #expect(throws: Refused(EACCES)) { try client.walk(Client.root, 5, ["proc".raw]) }
        #expect(throws: Refused(EACCES)) { try client.walk(Client.root, 5, ["proc".raw, "self".raw, "mem".raw]) }
    }

    @Test("the parent of a share is not shown")
    func parent() throws {
        let client = try Client(tree.server())
        let fid = try client.open("")
        let entries = try client.readdir(fid)
        let own = try client.getattr(Client.root).qid.path
        #expect(entries.filter { $0.name == [46] || $0.name == [46, 46] }.map(\.qid.path) == [own, own])
    }

    @Test("while a directory is swapped for a link to the outside, nothing outside is read or changed")
    func swapping() throws {
        mkdir(tree.outside("private"), 0o755)
        try tree.file(tree.outside("private/file"), "secret".raw)
        mkdir(tree.inside("d"), 0o755)
        try tree.file(tree.inside("d/file"), "public".raw)
        symlink("../private", tree.inside("link"))

        let finished = Gate()
        let (d, link) = (tree.inside("d"), tree.inside("link"))
        let flag = StopFlag()
        _ = try LinuxSystem.Thread(name: "swap") {
            // RENAME_EXCHANGE
            while !flag.isSet { _ = renameat2(AT_FDCWD, d, AT_FDCWD, link, 2) }
            finished.open()
        }
        let client = try Client(tree.server())
        var (opened, refused) = (0, 0)
        var round = 0
        // Until both have been seen: the two threads may not run at once for a while.
        while round < 1500 || ((opened == 0 || refused == 0) && round < 200_000) {
            round += 1
            do {
                let fid = try client.open("d/file", 2)
                opened += 1
                #expect(try client.read(fid, at: 0, 6) == "public".raw)
                try client.clunk(fid)
            } catch let error as Refused {
                refused += 1
                #expect([ENOTDIR, ENOENT, ELOOP].contains(error.errno.rawValue), "\(error)")
            }
            let directory = try client.find("d")
            _ = try? client.mkdir(directory, "made")
            _ = try? client.unlinkat(directory, "made", flags: 0x200)
            _ = try? client.create("made\(round)", in: directory)
            _ = try? client.unlinkat(directory, "file\(round)")
            _ = try? client.renameat(directory, "made\(round)", directory, "other")
            _ = try? client.setattr(directory, .mode(0o755))
            try client.clunk(directory)
        }
        flag.set()
        finished.wait()
        #expect(opened > 0 && refused > 0)
        #expect(tree.contents(tree.outside("private/file")) == "secret".raw)
        let share = Share(name: "p", path: tree.outside("private"), ownership: .passthrough)
        let outside = try Client(NinePServer(share: share))
        #expect(try outside.list().map(\.name) == ["file".raw])
    }
}

/// A flag between two threads.
final class StopFlag: Sendable {
    private let flag = Atomic<Bool>(false)
    var isSet: Bool { flag.load(ordering: .acquiring) }
    func set() { flag.store(true, ordering: .releasing) }
}
