import MachineProtocol
import CommandSupport
@testable import svmm
import Testing

@Suite("Options of shares and sockets")
struct ShareOptionTests {
    @Test("--share takes a directory, a tag and words", arguments: [
        ("/srv:data", ShareDescription(path: "/srv", tag: "data")),
        ("/a:b:c", ShareDescription(path: "/a:b", tag: "c")),
        ("d:t,ro", ShareDescription(path: "d", tag: "t", readOnly: true)),
        ("d:t/n,devices", ShareDescription(path: "d", tag: "t", name: "n", allowsDevices: true)),
        ("d:t,uidmap=passthrough", ShareDescription(path: "d", tag: "t", ownership: .passthrough)),
        ("d:t,uidmap=mapped,ro", ShareDescription(path: "d", tag: "t", readOnly: true, ownership: .mapped)),
        ("d:t,uidmap=squash", ShareDescription(path: "d", tag: "t", ownership: .squash(user: nil, group: nil))),
        ("d:t,uidmap=squash=5", ShareDescription(path: "d", tag: "t", ownership: .squash(user: 5, group: 5))),
        ("d:t,uidmap=squash=5:6", ShareDescription(path: "d", tag: "t", ownership: .squash(user: 5, group: 6))),
    ])
    func share(text: String, share: ShareDescription) throws {
        #expect(try ShareDescription(parsing: text) == share)
        // As `svmm share list` prints it, and as it can be typed again.
        #expect(try ShareDescription(parsing: share.optionText) == share)
    }

    @Test("--share refuses what is incomplete or unknown", arguments: [
        "", ":", "dir", "dir:", ":tag", "d:t,", "d:t,rw", "d:t,ro=1", "d:t/", "d:t/a/b", "d:t/..", "d:t/.", "d:/n",
        "d:t,uidmap=", "d:t,uidmap=root", "d:t,uidmap=squash=", "d:t,uidmap=squash=x", "d:t,uidmap=squash=1:2:3", "d:t,uidmap=squash=:5", "d:t,uidmap=squash=5:", "d:t,uidmap=squash=1::2",
        "d:t,uidmap=squash=-1", "d:t,uidmap=squash=4294967295", "d:t,uidmap=squash=4294967296",
        "d:" + String(repeating: "t", count: 256), "d:t/" + String(repeating: "n", count: 256),
    ])
    func badShare(text: String) {
        #expect(throws: Expected.self) { try ShareDescription(parsing: text) }
    }

    @Test("--vsock takes a backend and words", arguments: [
        ("user", VsockDescription()), ("vhost", VsockDescription(backend: .vhost)),
        ("user,path=/v.sock", VsockDescription(backend: .user(path: "/v.sock"))),
        ("user,cid=9,path=v", VsockDescription(backend: .user(path: "v"), contextID: 9)),
        ("vhost,cid=4294967294", VsockDescription(backend: .vhost, contextID: 4_294_967_294)),
    ])
    func vsock(text: String, description: VsockDescription) throws {
        #expect(try VsockDescription(parsing: text) == description)
    }

    @Test("--vsock refuses what is incomplete or unknown", arguments: [
        "", "kernel", "user,", "user,path=", "vhost,path=/v", "user,cid=2", "user,cid=4294967295", "user,cid=x", "vhost,cid=",
    ])
    func badVsock(text: String) {
        #expect(throws: Expected.self) { try VsockDescription(parsing: text) }
    }

    @Test("--vsock-ports takes ports, each once")
    func ports() throws {
        #expect(try VsockDescription.ports(parsing: "2374") == [2374])
        #expect(try VsockDescription.ports(parsing: "9,1,4294967294") == [9, 1, 4_294_967_294])
        let many = (0...64).map(String.init).joined(separator: ",")
        for text in ["", ",", "1,", "a", "-1", "0", "4294967295", "1,2,1", many] {
            #expect(throws: Expected.self, "\(text)") { try VsockDescription.ports(parsing: text) }
        }
    }

    @Test("a machine's name is a plain file name", arguments: ["a", "web-1", "a.b_c", String(repeating: "x", count: 63)])
    func name(text: String) throws {
        #expect(try MachineName.check(text) == text)
        #expect(try MachineName.directory(text).hasSuffix("/" + text))
    }

    @Test("other names are refused", arguments: ["", ".", "..", "-a", "a/b", "a b", "ä", String(repeating: "x", count: 64)])
    func badName(text: String) {
        #expect(throws: Expected.self) { try MachineName.check(text) }
    }

    @Test("what has a slash is a state directory", arguments: [("./a", "./a"), ("/x/y/", "/x/y"), ("/", "/")])
    func directory(text: String, path: String) throws {
        #expect(try MachineName.directory(text) == path)
    }
}
