import AgentCore
import Testing
import TestSupport

@Suite("Users and groups of an image")
struct UserDatabaseTests {
    private static let database = UserDatabase(passwd: Array("""
        # a comment
        root:x:0:0:root:/root:/bin/sh
        broken line
        bad:x:one:two:::
        www:x:33:33::/var/www:/usr/sbin/nologin
        short:x:44:45
        4242:x:1001:1001::/home/named:/bin/sh
        huge:x:4294967295:1::/:/bin/sh
        """.utf8), group: Array("""
        root:x:0:
        www:x:33:
        audio:x:29:root,www
        video:x:44:www,
        notwww:x:60:www2,wwww
        bad:x:q:www
        logs:x:4:www,root
        """.utf8))

    struct Case: CustomTestStringConvertible {
        let name: String
        var additional: [String] = []
        let user: UInt32
        let group: UInt32
        var groups: [UInt32] = []
        var home = "/"
        var testDescription: String { "\(name) \(additional)" }
    }

    @Test("are found by name, by number and without an entry", arguments: [
        Case(name: "", user: 0, group: 0, groups: [29, 4], home: "/root"),
        Case(name: "root", user: 0, group: 0, groups: [29, 4], home: "/root"),
        Case(name: "www", user: 33, group: 33, groups: [29, 44, 4], home: "/var/www"),
        Case(name: "33", user: 33, group: 33, groups: [29, 44, 4], home: "/var/www"),
        Case(name: "www:audio", user: 33, group: 29, home: "/var/www"),
        Case(name: "www:1234", user: 33, group: 1234, home: "/var/www"),
        Case(name: "www:", user: 33, group: 33, groups: [29, 44, 4], home: "/var/www"),
        Case(name: ":audio", user: 0, group: 29, home: "/root"),
        Case(name: "short", user: 44, group: 45),
        Case(name: "4242", user: 1001, group: 1001, home: "/home/named"),
        Case(name: "9999", user: 9999, group: 0),
        Case(name: "9999:8888", additional: ["video", "77", "77", "8888"], user: 9999, group: 8888, groups: [44, 77]),
    ])
    func found(what: Case) throws {
        let identity = try Self.database.identity(Array(what.name.utf8), additional: what.additional.map { Array($0.utf8) })
        #expect(identity.user == what.user)
        #expect(identity.group == what.group)
        #expect(identity.groups == what.groups)
        #expect(String(decoding: identity.home, as: UTF8.self) == what.home)
    }

    @Test("that are not there, or have no number, are errors", arguments: ["nobody", "bad", "huge", "-1", "4294967295", "99999999999999999999"])
    func missingUser(name: String) {
        #expect(throws: UserDatabase.Failure.noSuchUser(Array(name.utf8))) {
            try Self.database.identity(Array(name.utf8), additional: [])
        }
    }

    @Test("an unknown group is an error too")
    func missingGroup() {
        #expect(throws: UserDatabase.Failure.noSuchGroup(Array("nogroup".utf8))) {
            try Self.database.identity(Array("www:nogroup".utf8), additional: [])
        }
        #expect(throws: UserDatabase.Failure.noSuchGroup(Array("bad".utf8))) {
            try Self.database.identity(Array("www".utf8), additional: [Array("bad".utf8)])
        }
    }

    @Test("in files of nothing but noise nobody is found, and nothing stops", arguments: [1, 2] as [UInt64])
    func noise(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let letters = Array("ab:0,9\n#\0/".utf8)
        for _ in 0..<2000 {
            let text = (0..<random.below(200)).map { _ in random.pick(letters) }
            let name = (0..<random.below(6)).map { _ in random.pick(letters) }
            _ = try? UserDatabase(passwd: text, group: text).identity(name, additional: [name])
        }
    }
}
