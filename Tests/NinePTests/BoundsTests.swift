import CLinux
import Glibc
import LinuxSystem
import NineP
import NinePSupport
import Testing

@Suite("What a client can use up is bounded")
struct BoundsTests {
    private let tree = Tree()

    @Test("fids, and they come back")
    func fids() throws {
        var options = NinePOptions()
        options.maximumFids = 100
        let server = try tree.server(options: options)
        let client = try Client(server)
        for fid in 1..<100 as Range<UInt32> { _ = try client.walk(Client.root, fid, []) }
        #expect(throws: Refused(EMFILE)) { try client.walk(Client.root, 100, []) }
        #expect(throws: Refused(EMFILE)) { try client.attach(100) }
        #expect(throws: Refused(EMFILE)) { try client.send(Message(.xattrwalk).word(0).word(100).string("")) }
        try client.clunk(50)
        _ = try client.walk(Client.root, 100, [])
        // Another client has its own.
        _ = try Client(server).find("")
        // Clones share one descriptor.
        #expect(server.descriptorsInUse == 1)
    }

    @Test("descriptors, and none is left when a session ends")
    func descriptors() throws {
        var options = NinePOptions()
        options.maximumDescriptors = 20
        let server = try tree.server(options: options)
        for index in 0..<20 { try tree.file(tree.inside("file\(index)")) }
        let client = try Client(server)
        for index in 0..<10 { _ = try client.find("file\(index)") }
        for index in 0..<9 { try client.lopen(UInt32(index + 1)) }
        #expect(server.descriptorsInUse == 20)
        #expect(throws: Refused(EMFILE)) { try client.lopen(10) }
        #expect(throws: Refused(EMFILE)) { try client.find("file10") }
        #expect(throws: Refused(EMFILE)) { try client.create("new") }
        #expect(throws: Refused(ENOENT)) { try tree.statusOrRefuse("new") }
        try client.clunk(1)
        _ = try client.find("file10")
        client.session.reset()
        #expect(server.descriptorsInUse == 0)
    }

    @Test("the process's own limit leaves some for others")
    func processLimit() throws {
        let server = try tree.server()
        #expect(server.descriptorsInUse == 0)
        let client = try Client(server)
        _ = try client.find("")
        #expect(server.descriptorsInUse == 1)
    }

    @Test("bytes of extended attributes")
    func attributes() throws {
        var options = NinePOptions()
        options.maximumAttributeBytes = 100_000
        try tree.file(tree.inside("file"))
        #expect(setxattr(tree.inside("file"), "user.x", [UInt8](repeating: 1, count: 1000), 1000, 0) == 0)
        let client = try Client(tree.server(options: options))
        let fid = try client.find("file")
        for number in 0..<100 as Range<UInt32> {
            _ = try client.send(Message(.xattrwalk).word(fid).word(1000 + number).string("user.x"))
        }
        #expect(throws: Refused(ENOMEM)) { try client.send(Message(.xattrwalk).word(fid).word(2000).string("user.x")) }
        let draft = try client.find("file")
        #expect(throws: Refused(ENOMEM)) {
            try client.send(Message(.xattrcreate).word(draft).string("user.y").long(1).word(0))
        }
        try client.clunk(1000)
        _ = try client.send(Message(.xattrcreate).word(draft).string("user.y").long(1000).word(0))
    }

    @Test("locks")
    func locks() throws {
        var options = NinePOptions()
        options.maximumLocks = 100
        let client = try Client(tree.server(options: options))
        let fid = try client.create("file")
        for index in 0..<99 as Range<UInt64> { #expect(try client.lock(fid, 1, start: index * 2, length: 1) == 0) }
        #expect(try client.lock(fid, 1, start: 1000, length: 1) == 2)
        // One range where there were many.
        #expect(try client.lock(fid, 2) == 0)
        #expect(try client.lock(fid, 1, start: 1000, length: 1) == 0)
    }
}

extension Tree {
    fileprivate func statusOrRefuse(_ name: String) throws {
        do { _ = try status(inside(name)) } catch let error as Errno { throw Refused(error) }
    }
}
