@testable import Containers
import ContainerProtocol
import LinuxSystem
import Synchronization
import Testing

@Suite("The store of volumes")
struct VolumeStoreTests {
    private let test: TestStore
    private let volumes: VolumeStore

    init() throws {
        test = try TestStore()
        volumes = VolumeStore(store: test.root)
    }

    private func make(
        _ name: String, _ options: VolumeOptions = VolumeOptions(), labels: [String: String] = [:]
    ) throws(ContainerError) -> ContainerVolume {
        let hold = try volumes.lock()
        try volumes.make(name, options, labels: labels, hold) { path, size throws(ContainerError) in
            try FakeImages().makeWritableDisk(at: path, size: size)
        }
        return try volumes.volume(name)
    }

    private func entries() throws -> [String] { try names(inDirectory: volumes.folder).filter { $0 != ".lock" }.sorted() }

    @Test("a volume is what was asked for, and is listed")
    func made() throws {
        #expect(try volumes.names() == [])
        let disk = try make("disk", VolumeOptions(size: 1 << 30), labels: ["a": "b"])
        #expect((disk.kind, disk.size, disk.labels, disk.isAnonymous) == (.disk, 1 << 30, ["a": "b"], false))
        #expect(disk.path == test.root + "/volumes/disk/disk.ext4")
        #expect(try fileStatus(at: disk.path).size == 1 << 30)
        #expect(try make("usual").size == ContainerVolume.defaultSize)
        let shared = try make("shared", VolumeOptions(kind: .directory))
        #expect((shared.kind, shared.size) == (.directory, nil))
        #expect(try fileStatus(at: shared.path).kind == .directory)
        #expect(try volumes.names() == ["disk", "shared", "usual"])
        #expect(try entries() == ["disk", "shared", "usual"])
    }

    @Test("what cannot be is refused in one line, and leaves nothing", arguments: [
        ("", VolumeOptions()), (".x", VolumeOptions()), ("../x", VolumeOptions()), ("a/b", VolumeOptions()), ("a", VolumeOptions(size: 4096)),
        ("a", VolumeOptions(size: 1 << 30 + 1)), ("a", VolumeOptions(size: 16 << 40)), ("a", VolumeOptions(kind: .directory, size: 1 << 30)),
    ])
    func refused(name: String, options: VolumeOptions) throws {
        let error = try #require(throws: ContainerError.self) { try make(name, options) }
        #expect(error.kind == .invalid && !error.description.contains("\n"), "\(error)")
        #expect(try entries() == [])
    }

    @Test("one that is there stays as it is")
    func taken() throws {
        let first = try make("same", labels: ["first": ""])
        let error = try #require(throws: ContainerError.self) { try make("same", VolumeOptions(kind: .directory)) }
        #expect(error.kind == .nameInUse)
        #expect(try volumes.volume("same") == first)
        #expect(try entries() == ["same"])
    }

    @Test("of many who want a name at the same time one makes it")
    func race() throws {
        let made = Atomic<Int>(0)
        try inParallel(8) { _ in
            do throws(ContainerError) {
                _ = try make("same", VolumeOptions(kind: .directory))
                made.add(1, ordering: .relaxed)
            } catch {
                #expect(error.kind == .nameInUse, "\(error)")
            }
        }
        #expect(made.load(ordering: .relaxed) == 1)
        #expect(try entries() == ["same"])
    }

    @Test("a disk that cannot be made leaves nothing, and the error is the disk's")
    func failed() throws {
        let hold = try volumes.lock()
        let error = try #require(throws: ContainerError.self) {
            try volumes.make("x", VolumeOptions(), hold) { path, _ throws(ContainerError) in throw .file(path, .noSpace) }
        }
        #expect(error.description.contains("no space left"))
        #expect(try entries() == [])
    }

    @Test("what a killed command has left is swept away, whole volumes stay")
    func leftovers() throws {
        let kept = try make("kept")
        for name in [".new-1", ".old-2"] {
            try makeDirectories("\(volumes.folder)/\(name)/data/deep", permissions: 0o700)
            try replaceFile("\(volumes.folder)/\(name)/volume.json", with: Array("{".utf8), permissions: 0o600)
        }
        do {
            // Somebody makes a volume: what is new may be theirs.
            let hold = try volumes.lock()
            try volumes.sweep()
            #expect(try entries() == [".new-1", "kept"])
            _ = consume hold
        }
        _ = try test.store().repair()
        #expect(try entries() == ["kept"])
        #expect(try volumes.volume("kept") == kept)
    }

    @Test("a volume that is removed is gone, with directories deeper than svmm's own")
    func removed() throws {
        let volume = try make("deep", VolumeOptions(kind: .directory))
        try makeDirectories(volume.path + String(repeating: "/d", count: 300), permissions: 0o700)
        try volumes.retire("deep", try volumes.lockAlone())
        #expect(throws: ContainerError.self) { try volumes.volume("deep") }
        try volumes.sweep()
        #expect(try entries() == [])
        let error = try #require(throws: ContainerError.self) { try volumes.retire("deep", try volumes.lockAlone()) }
        #expect(error.kind == .notFound)
    }

    static let damages: [(String, String)] = [
        ("volume.json", ""), ("volume.json", "{"), ("volume.json", #"{"version":1,"kind":"btrfs","created":1,"labels":{},"isAnonymous":false}"#),
        ("volume.json", #"{"version":2,"kind":"ext4","created":1,"labels":{},"isAnonymous":false}"#),
        ("volume.json", #"{"version":1,"kind":"9p","created":1,"labels":{},"isAnonymous":false}"#),
        ("volume.json", #"{"version":1,"kind":"ext4","created":-1,"labels":{},"isAnonymous":false}"#),
    ]

    @Test("a damaged record is an error that names the file, and the volume can be removed", arguments: damages)
    func damaged(file: String, contents: String) throws {
        _ = try make("bad")
        try replaceFile("\(volumes.folder)/bad/\(file)", with: Array(contents.utf8), permissions: 0o600)
        let error = try #require(throws: ContainerError.self) { try volumes.volume("bad") }
        #expect(error.description.contains("\(volumes.folder)/bad/") && !error.description.contains("\n"), "\(error)")
        try volumes.retire("bad", try volumes.lockAlone())
        try volumes.sweep()
        #expect(try entries() == [])
    }

    // MARK: The first use

    private func attach(_ mount: VolumeMount, others: Bool = false) throws -> VolumeAttachment {
        let found = try volumes.attachments(of: [.volume(mount)], container: "c") { _ in others }
        return try #require(found[0])
    }

    @Test("a disk is filled until somebody says that it was, and never again")
    func firstUse() throws {
        let volume = try make("v")
        let mount = VolumeMount(name: "v", destination: "/data", options: [.readOnly])
        let filling = test.root + "/volumes/v/filling"
        // The second time as after a kill in the middle.
        for _ in 0..<2 {
            let first = try attach(mount)
            #expect(first == VolumeAttachment(kind: .disk, path: volume.path, isReadOnly: false, isFilled: true, mark: filling))
        }
        try renameFile(filling, to: test.root + "/volumes/v/used")
        #expect(try attach(mount) == VolumeAttachment(kind: .disk, path: volume.path, isReadOnly: true, isFilled: false, mark: nil))
    }

    @Test("without a copy it is read only from the start, and used all the same")
    func noCopy() throws {
        _ = try make("v")
        let mount = VolumeMount(name: "v", destination: "/data", options: [.readOnly], copiesImage: false)
        let attachment = try attach(mount)
        #expect(attachment.isReadOnly && !attachment.isFilled && attachment.mark != nil)
    }

    @Test("a directory with files of the host's is left as it is")
    func hostFiles() throws {
        let volume = try make("v", VolumeOptions(kind: .directory))
        try replaceFile(volume.path + "/file", with: [1], permissions: 0o600)
        let attachment = try attach(VolumeMount(name: "v", destination: "/data"))
        #expect(!attachment.isFilled && attachment.mark == nil)
        #expect((try? fileStatus(at: test.root + "/volumes/v/used")) != nil)
    }

    @Test("a directory that a container is just filling is not filled by another one")
    func twoUsers() throws {
        _ = try make("v", VolumeOptions(kind: .directory))
        let mount = VolumeMount(name: "v", destination: "/data")
        #expect(try attach(mount).isFilled)
        let second = try attach(mount, others: true)
        #expect(!second.isFilled && second.mark == nil)
    }

    @Test("a disk is free for one that writes, or for several that read, as machines lock it")
    func locks() throws {
        let volume = try make("v", VolumeOptions(size: 16 << 20))
        func free() throws -> [Bool] { [try volumes.isFree(volume, isReadOnly: false), try volumes.isFree(volume, isReadOnly: true)] }
        #expect(try free() == [true, true])
        let all = LockRange(first: 0, last: .max)
        for (isWriter, expected) in [(true, [false, false]), (false, [false, true])] {
            let machine = try FileDescriptor.open(volume.path, .readWrite)
            #expect(try machine.tryLock(exclusive: isWriter))
            #expect(try free() == expected)
            let own = try volumes.lockDisk(volume)
            let isLocked = own != nil
            #expect(!isLocked)
            try machine.unlock(all)
        }
        do {
            let own = try volumes.lockDisk(volume)
            let isLocked = own != nil
            #expect(try isLocked && free() == [false, false])
            _ = consume own
        }
        #expect(try free() == [true, true])
    }
}
