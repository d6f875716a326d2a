import LinuxSystem
@testable import NameService
import TestSupport
import Testing

@Suite("Files of names and resolvers")
struct FileTests {
    @Test("lines that cannot be read are left out, and the others stay")
    func names() throws {
        let table = NameTable(parsing: """
            web  10.0.0.2 , 10.0.0.3
            one 10.0.0.1
            two 10.0.0.2,nonsense,,fd00::2\r
            \tthree\t10.0.0.3
            bad..name 10.0.0.4
            none
            . 10.0.0.5
            #x 10.0.0.6
            scoped fe80::1%lo
            """.utf8)
        #expect(table.addresses(of: try #require(DomainName("web"))) == nil)
        #expect(table.addresses(of: try #require(DomainName("one")))?.map(\.description) == ["10.0.0.1"])
        #expect(table.addresses(of: try #require(DomainName("two")))?.map(\.description) == ["10.0.0.2", "fd00::2"])
        #expect(table.addresses(of: try #require(DomainName("three")))?.count == 1)
        #expect(table.names(of: try #require(InternetAddress("fe80::1"))) == [try #require(DomainName("scoped"))])
        #expect(table.names(of: try #require(InternetAddress("10.0.0.6"))) == nil)
    }

    @Test("a name has a bounded number of addresses, and an address of names")
    func bounds() throws {
        let lines = (0..<1000).map { "all 10.1.\($0 / 250).\($0 % 250)\nn\($0) 10.0.0.1\n" }.joined()
        let table = NameTable(parsing: lines.utf8)
        #expect(table.addresses(of: try #require(DomainName("all")))?.count == NameTable.mostPerKey)
        #expect(table.names(of: try #require(InternetAddress("10.0.0.1")))?.count == NameTable.mostPerKey)
        #expect(table.addresses(of: try #require(DomainName("n999")))?.count == 1)
    }

    @Test("the host's resolvers are those of resolv.conf, three at most", arguments: [
        ("nameserver 10.0.0.1\nnameserver\t10.0.0.2 # x\nsearch a\n", ["10.0.0.1", "10.0.0.2"]),
        ("# nameserver 10.0.0.1\n;nameserver 10.0.0.2\nnameservers 10.0.0.3\nnameserver nonsense\n", ["127.0.0.1"]),
        ("", ["127.0.0.1"]),
        ("nameserver 10.0.0.1\nnameserver ::1\nnameserver 10.0.0.3\nnameserver 10.0.0.4", ["10.0.0.1", "::1", "10.0.0.3"]),
        ("nameserver 127.0.0.53\noptions edns0 trust-ad\n", ["127.0.0.53"]),
        ("nameserver 10.89.0.1\nnameserver 10.0.0.3", ["10.0.0.3"]), ("nameserver 10.89.0.1", []),
    ])
    func resolvers(text: String, expected: [String]) throws {
        // The last is our own.
        let own = try #require(InternetAddress("10.89.0.1"))
        #expect(ResolverFile.parse(Array(text.utf8), excluding: [own]).map(\.description) == expected)
    }

    @Test("resolv.conf is read again when it has changed, and the resolver that answered comes first")
    func changes() throws {
        let directory = TemporaryDirectory()
        let path = try directory.file("resolv.conf", Array("nameserver 10.0.0.1\nnameserver 10.0.0.2\n".utf8))
        let file = ResolverFile(path, excluding: [])
        #expect(file.current().map(\.description) == ["10.0.0.1", "10.0.0.2"])
        file.prefer(try #require(InternetAddress("10.0.0.2")))
        #expect(file.current().map(\.description) == ["10.0.0.2", "10.0.0.1"])
        _ = try directory.file("resolv.conf", Array("nameserver 10.0.0.3\n".utf8))
        #expect(file.current().map(\.description) == ["10.0.0.3"])
    }

    @Test("a pipe in the place of resolv.conf is not waited for")
    func pipe() {
        let directory = TemporaryDirectory()
        #expect(ResolverFile(directory.makeFIFO("resolv.conf"), excluding: []).current().map(\.description) == ["127.0.0.1"])
    }
}
