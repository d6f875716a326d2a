import Glibc
import LinuxSystem
@testable import Snapshot
import Testing
import TestSupport

@Suite("Reading a snapshot")
struct ReaderTests {
    private let place = Workspace()
    private var path: String { place.path("s") }

    init() throws {
        let memory = try makeMemory()
        try memory.write([1, 2, 3], at: 0x3000)
        try save(memory, as: path)
    }

    @Test("gives back what was saved, section by section")
    func roundTrip() throws {
        let reader = try SnapshotReader(directory: path)
        #expect(reader.contents.sections == someSections && reader.contents.memorySize == 1 << 20)
        #expect(try reader.section(.description) == [1, 2, 3])
        #expect(reader.sections(.processor) == [Array(0..<200), []])
        #expect(reader.sections(.clock) == [])
        #expect(throws: SnapshotError.missingSection(path: "\(path)/state", .clock)) { try reader.section(.clock) }
        var bytes = [UInt8](repeating: 0, count: 4)
        let file = try reader.openMemory(size: 1 << 20)
        #expect(try bytes.withUnsafeMutableBytes { try file.read(into: $0, at: 0x2FFF) } == 4)
        #expect(bytes == [0, 1, 2, 3])
        // Once more, of the same.
        #expect(try SnapshotReader(directory: path + "/").identifier == reader.identifier)
    }

    @Test("says which of the directory and its files is not there, or is something else")
    func missing() throws {
        #expect(throws: SnapshotError.missing(path: place.path("no"))) { try SnapshotReader(directory: place.path("no")) }
        #expect(throws: SnapshotError.self) { try SnapshotReader(directory: "\(path)/state") }
        let reader = try SnapshotReader(directory: path)
        for name in ["memory", "state"] {
            let file = "\(path)/\(name)"
            let open = {
                if name == "state" { _ = try SnapshotReader(directory: path) } else { _ = try reader.openMemory(size: 1 << 20) }
            }
            try renameFile(file, to: "\(file).old")
            #expect(throws: SnapshotError.missing(path: file)) { try open() }
            symlink("\(name).old", file)
            #expect(throws: SnapshotError.kind(path: file, found: "a symbolic link", expected: "a regular file")) { try open() }
            unlink(file)
            mkfifo(file, 0o600)
            #expect(throws: SnapshotError.kind(path: file, found: "a FIFO", expected: "a regular file")) { try open() }
            unlink(file)
            mkdir(file, 0o700)
            #expect(throws: SnapshotError.kind(path: file, found: "a directory", expected: "a regular file")) { try open() }
            rmdir(file)
            try renameFile("\(file).old", to: file)
            try open()
        }
    }

    @Test("refuses memory of another size than the guest's")
    func sizes() throws {
        let reader = try SnapshotReader(directory: path)
        #expect(throws: SnapshotError.otherMemory(path: "\(path)/state", found: 1 << 20, expected: 2 << 20)) {
            _ = try reader.openMemory(size: 2 << 20)
        }
        for size in [0, 4096, 1 << 20 + 1] as [UInt64] {
            try FileDescriptor.open("\(path)/memory", .writeOnly).setSize(size)
            #expect(throws: SnapshotError.memorySize(path: "\(path)/memory", found: size, expected: 1 << 20)) {
                _ = try reader.openMemory(size: 1 << 20)
            }
        }
    }

    /// Whether the file system of temporary directories keeps attributes of users.
    private static let keepsAttributes: Bool = {
        let directory = TemporaryDirectory()
        guard let file = try? FileDescriptor.open(try directory.file("f", []), .readWrite),
              let name = try? AttributeName("user.svmm.test".utf8) else { return false }
        return (try? file.setAttribute(name, [1], .none)) != nil
    }()

    @Test("refuses the memory of another snapshot", .enabled(if: keepsAttributes, "the file system keeps no attributes"))
    func otherMemory() throws {
        try save(makeMemory(), as: place.path("other"))
        let (own, other) = (try SnapshotReader(directory: path), try SnapshotReader(directory: place.path("other")))
        try renameFile("\(other.path)/memory", to: "\(path)/memory")
        let memory = "\(path)/memory"
        #expect(throws: SnapshotError.otherSnapshot(path: memory, found: other.identifier, expected: own.identifier)) {
            _ = try own.openMemory(size: 1 << 20)
        }
    }

    @Test("refuses a state that is damaged, and one larger than any, before it is read")
    func damage() throws {
        let file = "\(path)/state"
        var state = try bytes(ofFile: file)
        state[state.count - 1] ^= 1
        try replaceFile(file, with: state, permissions: 0o600)
        let error = #expect(throws: SnapshotError.self) { try SnapshotReader(directory: path) }
        guard case .checksum(file, .section(3, SectionKind(rawValue: 77)), _, _) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        try FileDescriptor.open(file, .writeOnly).setSize(256 << 20 + 1)
        #expect(throws: SnapshotError.fileTooLong(path: file, found: 256 << 20 + 1, limit: 256 << 20)) {
            try SnapshotReader(directory: path)
        }
    }

    @Test("an error is one line that names the file, what was found and what was expected")
    func text() {
        #expect("\(SnapshotError.version(path: "s/state", found: 2, expected: 1))"
            == "s/state: format version 2, expected 1; save the machine again with this version of svmm")
        #expect("\(SnapshotError.checksum(path: "s/state", .section(2, .processor), found: 255, expected: 1))"
            == "s/state: damaged in its section 2 (processor): checksum 0xff, expected 0x1")
        #expect("\(SnapshotError.truncated(path: "s/state", .section(0, SectionKind(rawValue: 99)), found: 10, expected: 20))"
            == "s/state: truncated in its section 0 (kind 99): 10 bytes long, expected 20 or more")
        #expect("\(SnapshotError.exists(path: "s"))" == "s: exists, expected a name that is free")
    }
}
