@testable import Containers
import ContainerProtocol
import LinuxSystem
import Testing

/// What happens to a store that svmm did not do, and that does no harm to what is in it.
@Suite("A store of containers that somebody else touched")
struct StoreDamageTests {
    private let test: TestStore

    init() throws {
        test = try TestStore()
    }

    private var database: String { test.root + "/containers.sqlite" }

    private func write(_ path: String) throws {
        let file = try FileDescriptor.open(path, [.writeOnly, .create, .exclusive])
        try [UInt8(1)].withUnsafeBytes { try file.writeAll($0) }
    }

    @Test("files and directories that are no container's stay")
    func foreign() async throws {
        let runtime = try await test.open()
        let record = try await runtime.create(.fake("true", name: "c"), from: .fake())
        let folder = runtime.store.folder
        let digits = String(repeating: "a", count: 64)
        let directories = ["backup", "lost+found", record.shortIdentifier, digits.uppercased(), digits + "0", ".hidden"]
        for name in directories {
            try makeDirectories("\(folder)/\(name)", permissions: 0o700)
            try write("\(folder)/\(name)/inside")
        }
        for name in ["notes", digits] { try write("\(folder)/\(name)") }
        let link = String(repeating: "b", count: 64)
        try FileDescriptor.open(folder, [.pathOnly, .directory]).makeSymbolicLink(FileName(link.utf8), to: LinkTarget("backup".utf8))
        let left = String(repeating: "c", count: 64)
        try makeDirectories("\(folder)/\(left)", permissions: 0o700)
        for _ in 0..<2 {
            #expect(try await test.open().list().map(\.record.name) == ["c"])
            #expect(Set(test.leftovers) == Set(directories + ["notes", digits, link, record.identifier]))
            for name in directories { #expect(contents(ofSmallFile: "\(folder)/\(name)/inside") == [1], "\(name)") }
        }
    }

    @Test("without their database containers are not taken for leftovers")
    func lostDatabase() async throws {
        let runtime = try await test.open()
        let record = try await runtime.create(.fake("true", name: "c"), from: .fake())
        for name in [database, database + "-wal", database + "-shm"] { _ = try? removeFile(name) }
        let error = try await #require(throws: ContainerError.self) { _ = try await test.open() }
        #expect(error.description.contains("containers.sqlite: missing, though the directories of 1 containers are in"), "\(error)")
        #expect(test.leftovers == [record.identifier])
        #expect((try? fileStatus(at: database)) == nil)
    }

    @Test("a damaged record is in nobody's way, and is removed as any other", arguments: [
        "configuration = 'garbage'", "configuration = x'00ff80'", "created = 'yesterday'", "care = 'much'", "image = x'ff'", "root = x'fe'",
    ])
    func damagedRow(change: String) async throws {
        let runtime = try await test.open()
        let damaged = try await runtime.create(.fake("true", name: "damaged"), from: .fake())
        let whole = try await runtime.create(.fake("true", name: "whole"), from: .fake())
        try StoreVersion.execute(database, "UPDATE container SET \(change) WHERE name = 'damaged'")
        let again = try await test.open()
        #expect(try await again.list().map(\.record) == [whole])
        #expect(try again.store.database.all() == [whole])
        var complaints: [ContainerError] = []
        _ = try again.store.database.all { complaints.append($0) }
        #expect(complaints.count == 1)
        let error = try await #require(throws: ContainerError.self) { _ = try await again.inspect("damaged") }
        #expect(error.description.contains("the record of container \(damaged.shortIdentifier) is damaged"), "\(error)")
        #expect(try ContainerRuntime.imageUse(root: test.root).map(\.name).contains("whole"))
        #expect(try ContainerRuntime.imageUse(root: test.root).count == 2)
        await #expect(throws: ContainerError.self) { _ = try await again.create(.fake("true", name: "damaged"), from: .fake()) }
        try await again.remove("damaged", isForced: true)
        #expect(test.leftovers == [whole.identifier])
        #expect(try again.store.database.identifiers() == [whole.identifier])
        try await again.remove("whole")
    }

    @Test("an identifier that leads elsewhere removes its record and nothing else")
    func damagedIdentifier() async throws {
        let runtime = try await test.open()
        _ = try await runtime.create(.fake("true", name: "damaged"), from: .fake())
        try makeDirectories(test.root + "/other", permissions: 0o700)
        try write(test.root + "/other/inside")
        try StoreVersion.execute(database, "UPDATE container SET id = '../other', care = 3 WHERE name = 'damaged'")
        try await runtime.remove("damaged", isForced: true)
        #expect(try runtime.store.database.identifiers() == [])
        try await test.open().store.repair()
        #expect(contents(ofSmallFile: test.root + "/other/inside") == [1])
    }

    private func modes() throws -> [UInt32] {
        try ["", "-wal", "-shm"].map { try fileAttributes(at: database + $0).mode & 0o777 }
    }

    @Test("the database is for its owner only, and its files stay for the time when the disk is full")
    func permissions() async throws {
        do {
            let store = try test.store()
            try store.repair()
            #expect(try modes() == [0o600, 0o600, 0o600])
        }
        #expect(try modes() == [0o600, 0o600, 0o600])
        // As older versions left them.
        for suffix in ["", "-wal", "-shm"] { try FileDescriptor.open(database + suffix, .readOnly).setPermissions(0o644) }
        _ = try test.store()
        #expect(try modes() == [0o600, 0o600, 0o600])
    }

    @Test("a full disk is called that, whatever SQLite calls it")
    func fullDisk() {
        let expected = ContainerError.file("/x", .noSpace)
        for failure in StoreVersion.fullDisk {
            #expect(throws: expected, "\(failure)") { try ContainerDatabase.asStore("/x") { throw failure } }
        }
        let error = #expect(throws: ContainerError.self) { try ContainerDatabase.asStore("/x") { throw StoreVersion.otherFailure } }
        #expect(error?.description.hasSuffix("(SQLite)") == true)
    }

    @Test("containers whose directory is out of reach are kept until it is back")
    func lostFolder() async throws {
        let runtime = try await test.open()
        let first = try await runtime.create(.fake("true", name: "first"), from: .fake())
        let second = try await runtime.create(.fake("true", name: "second"), from: .fake())
        let (folder, elsewhere) = (runtime.store.folder, test.path + "/elsewhere")
        try renameFile(folder, to: elsewhere)
        for _ in 0..<2 {
            let without = try await test.open()
            #expect(try await without.list().map(\.record) == [second, first])
            let error = try await #require(throws: ContainerError.self) { _ = try await without.create(.fake("true"), from: .fake()) }
            #expect(error.description.contains("none of the containers is there"), "\(error)")
            #expect(test.leftovers == [])
        }
        // An empty directory, as a mount point is one.
        try removeDirectory(folder)
        try renameFile(elsewhere, to: folder)
        #expect(try await test.open().list().count == 2)
        // One of them alone is gone for good.
        try removeTree(runtime.store.paths(first.identifier).directory)
        #expect(try await test.open().list().map(\.record) == [second])
    }

    @Test("containers whose directory is lost for good are removed by name, and then others are made")
    func lostForGood() async throws {
        let runtime = try await test.open()
        _ = try await runtime.create(.fake("true", name: "lost"), from: .fake())
        try removeTree(runtime.store.folder)
        let without = try await test.open()
        try await without.remove("lost", isForced: true)
        let again = try await test.open()
        _ = try await again.create(.fake("true", name: "new"), from: .fake())
        #expect(try await test.open().list().map(\.record.name) == ["new"])
    }

    @Test("what is wrong with the monitor's log is said of that file")
    func monitorLog() async throws {
        let runtime = try await test.open()
        let record = try await runtime.create(.fake("true", name: "c"), from: .fake())
        let path = runtime.store.paths(record.identifier).monitorLog
        try makeDirectories(path, permissions: 0o700)
        let error = try await #require(throws: ContainerError.self) { _ = try await runtime.start("c", options: StartOptions()) }
        #expect(error.description == "\(path): Is a directory")
    }

    @Test("a monitor that has ended before it was spoken to is heard")
    func lastWord() throws {
        func connection(_ said: [MonitorMessage]) throws -> MonitorConnection {
            let pair = try SocketPair(.stream)
            for message in said { try message.frame.withUnsafeBytes { try pair.second.sendAll($0) } }
            return MonitorConnection(pair.takeFirst(), container: "c", log: "/dev/null")
        }
        let expected = ContainerError(.failed, "no /dev/kvm")
        let spoken = try connection([.failed(status: 125, "no /dev/kvm")])
        #expect(throws: expected) { try spoken.tell(.detach) }
        let silent = try connection([])
        let error = try #require(throws: ContainerError.self) { try silent.tell(.promiseCleanup) }
        #expect(error.description.contains("ended without a word"))
    }
}
