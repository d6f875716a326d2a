@testable import Containers
import ContainerProtocol
import LinuxSystem
import Synchronization
import Testing

@Suite("The store of containers")
struct StoreTests {
    private let test: TestStore

    init() throws {
        test = try TestStore()
    }

    private func record(_ name: String, isTemporary: Bool = false) throws -> ContainerRecord {
        var request = ContainerRequest.fake("true")
        request.isTemporary = isTemporary
        let identifier = try ContainerIdentifier.random()
        let configuration = try ContainerConfiguration(
            request, image: ImageSettings(), identifier: identifier, host: HostFacts(processors: 1, hasUserNetwork: false))
        return ContainerRecord(identifier: identifier, name: name, created: 1, image: "i", digest: "d", root: "r", isTemporary: isTemporary,
                               configuration: configuration)
    }

    /// As it stands after a process was killed in the middle.
    private func add(_ store: ContainerStore, _ record: ContainerRecord, isBeingRun: Bool = false, status: ContainerStatus.State? = nil) throws {
        try makeDirectories(store.paths(record.identifier).directory, permissions: 0o700)
        try store.database.insert(record, isBeingRun: isBeingRun)
        guard let status else { return }
        let hold = try store.hold(record.identifier)
        try store.write(ContainerStatus(state: status, processIdentifier: 1), hold)
    }

    @Test("a record comes back as it was written")
    func roundTrip() throws {
        let store = try test.store()
        let record = try record("one", isTemporary: true)
        try store.database.insert(record, isBeingRun: false)
        #expect(try store.database.find("one") == record)
        #expect(try store.database.all() == [record])
    }

    @Test("containers are found by name, identifier, and a beginning that is one's alone")
    func finding() throws {
        let store = try test.store()
        var (first, second) = (try record("abc"), try record("two"))
        first.identifier = "abc1" + String(repeating: "0", count: 60)
        second.identifier = "abc2" + String(repeating: "0", count: 60)
        for record in [first, second] { try store.database.insert(record, isBeingRun: false) }
        #expect(try store.database.find("abc") == first, "a name goes before a beginning")
        #expect(try store.database.find("abc2") == second)
        #expect(try store.database.find(second.identifier) == second)
        for text in ["ab", "abd", "", "%", "ABC1", "abc1'"] { #expect(throws: ContainerError.self, "\(text)") { try store.database.find(text) } }
    }

    @Test("of many who want a name at the same time one gets it")
    func names() throws {
        _ = try test.store()
        let winners = Atomic<Int>(0)
        let losers = Atomic<Int>(0)
        try inParallel(8) { _ in
            let store = try test.store()
            let record = try record("same")
            do throws(ContainerError) {
                try store.database.insert(record, isBeingRun: false)
                winners.add(1, ordering: .relaxed)
            } catch {
                #expect(error.kind == .nameInUse)
                losers.add(1, ordering: .relaxed)
            }
        }
        #expect(winners.load(ordering: .relaxed) == 1)
        #expect(losers.load(ordering: .relaxed) == 7)
    }

    @Test("many make a new store at the same time")
    func creation() throws {
        try inParallel(8) { index in
            let store = try test.store()
            try store.database.insert(try record("n\(index)"), isBeingRun: false)
        }
        #expect(try test.store().database.all().count == 8)
    }

    @Test("what killed processes have left is put right by whoever comes by, and nothing else is touched")
    func repair() throws {
        let store = try test.store()
        let (created, exited, temporary) = (try record("created"), try record("exited"), try record("created-temporary", isTemporary: true))
        try add(store, created)
        try add(store, exited, status: .exited)
        try add(store, temporary)
        let (running, ended, run, started) = (try record("running"), try record("ended", isTemporary: true), try record("run"), try record("started"))
        try add(store, running, status: .running)
        try makeDirectories(store.paths(running.identifier).runDirectory, permissions: 0o700)
        try add(store, ended, status: .exited)
        try add(store, run, isBeingRun: true)
        try add(store, started, isBeingRun: true, status: .exited)
        try makeDirectories(store.folder + "/" + String(repeating: "f", count: 64), permissions: 0o700)
        try store.database.insert(try record("no-directory"), isBeingRun: false)

        for _ in 0..<2 {
            try store.repair()
            #expect(Set(try store.database.all().map(\.name)) == ["created", "exited", "created-temporary", "running", "started"])
            #expect(test.leftovers.count == 5)
            let status = try #require(store.writtenStatus(running.identifier))
            #expect((status.state, status.exitStatus) == (.exited, 125))
            #expect(status.failure.contains("its monitor (process 1) was killed"))
        }
        #expect(try store.database.cares().map(\.identifier) == [temporary.identifier])
    }

    @Test("a container that somebody holds, or that has a monitor, is left alone")
    func held() throws {
        let store = try test.store()
        let (held, monitored) = (try record("held", isTemporary: true), try record("monitored"))
        for record in [held, monitored] {
            try add(store, record, status: .running)
            try makeDirectories(store.paths(record.identifier).runDirectory, permissions: 0o700)
        }
        let hold = try store.hold(held.identifier)
        let other = try store.hold(monitored.identifier)
        guard let lock = try store.monitorLock(other) else { throw Errno.again }
        _ = consume other
        try test.store().repair()
        #expect(try store.database.all().count == 2)
        #expect(store.writtenStatus(monitored.identifier)?.state == .running)
        #expect(store.writtenStatus(held.identifier)?.state == .running)
        _ = (hold.paths, lock.raw)
    }

    @Test("a directory that is being made has no row yet, and is not collected")
    func making() throws {
        let store = try test.store()
        let creation = try FileDescriptor.open(store.creationLock, [.readWrite, .create])
        try creation.waitForLock(shared: true)
        let path = store.folder + "/" + String(repeating: "e", count: 64)
        try makeDirectories(path, permissions: 0o700)
        try test.store().repair()
        #expect(try fileStatus(at: path).kind == .directory)
        _ = consume creation
        try test.store().repair()
        #expect(throws: Errno.self) { try fileStatus(at: path) }
    }

    @Test("after a boot of the host everything has ended, and temporary containers are gone")
    func boot() throws {
        let store = try test.store()
        try store.repair()
        let (running, temporary) = (try record("running"), try record("temporary", isTemporary: true))
        try add(store, running, status: .running)
        try add(store, temporary, status: .running)
        try store.database.setFact("boot", "another")
        try store.repair()
        #expect(store.writtenStatus(running.identifier)?.state == .exited)
        #expect(try store.database.all().map(\.name) == ["running"])
    }

    @Test("a store of a newer version is refused")
    func newer() throws {
        let store = try test.store()
        let path = test.root + "/containers.sqlite"
        _ = store
        try setVersion(path, 99)
        let error = try #require(throws: ContainerError.self) { _ = try test.store() }
        #expect(error.description.contains("of a newer svmm"))
    }

    private func setVersion(_ path: String, _ version: Int) throws {
        try StoreVersion.set(path, version)
    }
}
