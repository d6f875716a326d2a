@testable import Containers
import ContainerProtocol
import Glibc
import LinuxSystem
import Testing

@Suite("Containers with volumes", .enabled(if: access(Programs.monitor, X_OK) == 0, "svmm-fake-monitor is built with the tests"))
struct VolumeRuntimeTests {
    private let test: TestStore

    init() throws {
        test = try TestStore()
    }

    private func request(_ command: String..., name: String? = nil, _ mounts: ContainerMount...) -> ContainerRequest {
        var request = ContainerRequest.fake(name: name)
        (request.command, request.mounts) = (command, mounts)
        return request
    }

    private var image: PreparedImage {
        var settings = ImageSettings()
        settings.volumes = ["/data/", "/var//lib"]
        return .fake(settings)
    }

    private func named(_ name: String, _ destination: String = "/data", _ creation: VolumeOptions? = nil) -> ContainerMount {
        .volume(VolumeMount(name: name, destination: destination, creation: creation))
    }

    @Test("a named volume is made at its first use, stays, and cannot be removed while a container has it")
    func named() async throws {
        let runtime = try await test.open()
        _ = try await runtime.create(request("true", name: "c", named("v")), from: .fake())
        let found = try await runtime.inspectVolume("v")
        #expect((found.users, found.volume.isAnonymous, found.volume.size) == (["c"], false, ContainerVolume.defaultSize))
        let error = try await #require(throws: ContainerError.self) { try await runtime.removeVolume("v") }
        #expect(error.kind == .wrongState && error.description.contains("container c"), "\(error)")
        try await runtime.remove("c", withVolumes: true)
        #expect(try await runtime.inspectVolume("v").users == [])
        try await runtime.removeVolume("v")
        #expect(try await runtime.volumes() == [])
        let missing = try await #require(throws: ContainerError.self) { try await runtime.removeVolume("v") }
        #expect(missing.kind == .notFound)
    }

    @Test("with force the containers go with the volume, also one that runs")
    func forced() async throws {
        let runtime = try await test.open()
        _ = try await runtime.run(request("sleep", name: "c", named("v")), from: .fake(), options: StartOptions())
        try await runtime.removeVolume("v", isForced: true)
        #expect(try await runtime.list().isEmpty)
        #expect(try await runtime.volumes() == [])
        #expect(test.leftovers == [])
    }

    @Test("the image's volumes have no name, and go with --rm, with rm -v, and not with rm")
    func anonymous() async throws {
        let runtime = try await test.open()
        let record = try await runtime.create(request("true", name: "c", named("mine", "/var/lib")), from: image)
        #expect(record.configuration.volumes == ["/data"])
        let volumes = try await runtime.volumes()
        #expect(volumes.count == 2 && volumes.allSatisfy { $0.users == ["c"] })
        let anonymous = try #require(volumes.first { $0.volume.isAnonymous }).volume.name
        #expect(anonymous.utf8.count == 64)
        try await runtime.remove("c")
        #expect(try await runtime.volumes().count == 2)
        _ = try await runtime.create(request("true", name: "d"), from: image)
        #expect(try await runtime.volumes().count == 4)
        try await runtime.remove("d", withVolumes: true)
        #expect(try await runtime.volumes().count == 2)
        var temporary = request("true")
        temporary.isTemporary = true
        let session = try await runtime.run(temporary, from: image, options: StartOptions(cleansUp: true))
        await session.waitForClose()
        try await runtime.removeEnded(session.record)
        #expect(try await runtime.volumes().count == 2)
    }

    @Test("a container that could not be made, or not be started, leaves no volume without a name")
    func failed() async throws {
        let runtime = try await test.open()
        _ = try await runtime.create(request("true", name: "taken"), from: .fake())
        // Found out when its volumes are there already.
        let big = request("true", name: "b", named("v", "/v", VolumeOptions(kind: .directory)), named("v", "/w", VolumeOptions(kind: .disk)))
        await #expect(throws: ContainerError.self) { _ = try await runtime.create(big, from: image) }
        #expect(try await runtime.volumes().map(\.volume.name) == ["v"])
        await #expect(throws: ContainerError.self) { _ = try await runtime.run(request("missing"), from: image, options: StartOptions()) }
        #expect(try await runtime.volumes().map(\.volume.name) == ["v"])
        #expect(try await runtime.list().map(\.record.name) == ["taken"])
    }

    @Test("a command that was killed between a container's volumes and its row leaves neither")
    func killed() async throws {
        let store = try test.store()
        let runtime = try await test.open()
        let identifier = try ContainerIdentifier.random()
        let paths = store.paths(identifier)
        try makeDirectory(paths.directory, permissions: 0o700)
        let volume = try await runtime.createVolume(nil)
        let kept = try await runtime.createVolume("kept")
        // A name of a user's is not among them; were it, it would stay.
        try store.listVolumes([volume.name, kept.name], paths)
        let next = try await test.open()
        #expect(try await next.volumes().map(\.volume.name) == ["kept"])
        #expect(test.leftovers == [])
    }

    @Test("a command that was killed while it removed a container and kept its volumes keeps them")
    func killedRemoval() async throws {
        let runtime = try await test.open()
        let record = try await runtime.create(request("true"), from: image)
        let store = try test.store()
        try store.forgetVolumes(store.paths(record.identifier))
        try store.database.delete(record.identifier)
        let next = try await test.open()
        #expect(try await next.volumes().count == 2)
        #expect(test.leftovers == [])
    }

    @Test("a disk is one container's at a time, and the error says whose; a directory is many's")
    func holders() async throws {
        let runtime = try await test.open()
        let shared = named("s", "/s", VolumeOptions(kind: .directory))
        _ = try await runtime.run(request("sleep", name: "first", named("v"), shared), from: .fake(), options: StartOptions())
        let error = try await #require(throws: ContainerError.self) {
            _ = try await runtime.run(request("sleep", name: "second", named("v")), from: .fake(), options: StartOptions())
        }
        #expect(error.kind == .wrongState && error.description.contains("container first has it"), "\(error)")
        _ = try await runtime.run(request("sleep", name: "third", shared), from: .fake(), options: StartOptions())
        try await runtime.stop("first")
        _ = try await runtime.run(request("sleep", name: "second", named("v")), from: .fake(), options: StartOptions())
        for name in ["second", "third"] { try await runtime.remove(name, isForced: true) }
    }

    @Test("what is started with a volume has it filled, and is the last to")
    func marks() async throws {
        let runtime = try await test.open()
        let session = try await runtime.run(request("true", name: "c", named("v")), from: .fake(), options: StartOptions())
        #expect((try? fileStatus(at: test.root + "/volumes/v/used")) != nil)
        await session.waitForClose()
        let volumes = VolumeStore(store: test.root)
        let again = try volumes.attachments(of: session.record.configuration.mounts, container: "c") { _ in false }
        #expect(again[0]?.isFilled == false)
    }

    @Test("a volume is given once to a container, and as the type that it has")
    func conflicts() async throws {
        let runtime = try await test.open()
        _ = try await runtime.createVolume("disk")
        for mounts in [[named("disk", "/a"), named("disk", "/b")], [named("disk", "/a", VolumeOptions(kind: .directory))]] {
            var request = request("true")
            request.mounts = mounts
            let error = try await #require(throws: ContainerError.self) { _ = try await runtime.create(request, from: .fake()) }
            #expect(error.kind == .invalid && error.description.hasPrefix("volume disk: "), "\(error)")
        }
        var many = request("true")
        many.mounts = (0..<12).map { named("v\($0)", "/\($0)") }
        let error = try await #require(throws: ContainerError.self) { _ = try await runtime.create(many, from: .fake()) }
        #expect(error.description.contains("at most 11"), "\(error)")
    }

    @Test("a volume becomes larger, and not smaller")
    func resize() async throws {
        let runtime = try await test.open()
        _ = try await runtime.createVolume("v", VolumeOptions(size: 1 << 30))
        #expect(try await runtime.resizeVolume("v", to: 2 << 30).size == 2 << 30)
        #expect(try await runtime.resizeVolume("v", to: 2 << 30).size == 2 << 30)
        for size in [1 << 30, 0, 2 << 30 + 1, 16 << 40] as [UInt64] {
            let error = try await #require(throws: ContainerError.self) { _ = try await runtime.resizeVolume("v", to: size) }
            #expect(error.kind == .invalid, "\(error)")
        }
        _ = try await runtime.createVolume("d", VolumeOptions(kind: .directory))
        await #expect(throws: ContainerError.self) { _ = try await runtime.resizeVolume("d", to: 2 << 30) }
    }

    @Test("a volume that is gone is an error of the start that names it")
    func gone() async throws {
        let runtime = try await test.open()
        _ = try await runtime.create(request("true", name: "c", named("v")), from: .fake())
        try removeTree(test.root + "/volumes/v")
        let error = try await #require(throws: ContainerError.self) { _ = try await runtime.start("c", options: StartOptions()) }
        #expect(error.description.contains("volume v is not there"), "\(error)")
    }
}
