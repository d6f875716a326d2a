import CLinux
import Glibc
import GuestMemory
import LinuxSystem
@testable import Snapshot
import Testing
import TestSupport

@Suite("Making a snapshot")
struct WriterTests {
    private let place = Workspace()

    private func partials() -> [String] { place.names.filter { $0.hasPrefix(".") } }

    @Test("it has its name only when it is whole, and only its owner may look into it")
    func name() throws {
        let writer = try SnapshotWriter(directory: place.path("s"))
        #expect(place.names.count == 1 && place.names[0].hasPrefix(".s.partial-\(getpid())-"))
        #expect(try fileAttributes(at: place.path(place.names[0])).mode == 0o040700)
        try writer.writeMemory(makeMemory())
        #expect(!place.names.contains("s"))
        try writer.finish(someSections)
        #expect(place.names == ["s"])
        for (file, mode) in [("s", 0o040700), ("s/state", 0o100600), ("s/memory", 0o100600)] as [(String, UInt32)] {
            #expect(try fileAttributes(at: place.path(file)).mode == mode)
        }
        #expect(try SnapshotReader(directory: place.path("s")).identifier == writer.identifier)
        writer.discard()
        #expect(place.names == ["s"])
    }

    @Test("a name that is taken is refused, also when somebody takes it while the snapshot is made")
    func exists() throws {
        let path = place.path("s")
        let error = SnapshotError.exists(path: path)
        let writer = try SnapshotWriter(directory: path)
        try writer.writeMemory(makeMemory())
        try makeDirectory(path, permissions: 0o700)
        #expect(throws: error) { try SnapshotWriter(directory: path) }
        #expect(throws: error) { try writer.finish([]) }
        #expect(place.names == ["s"])
        try removeDirectory(path)
        symlink("nowhere", path)
        #expect(throws: error) { try SnapshotWriter(directory: path) }
    }

    @Test("a path that cannot be made is refused")
    func paths() throws {
        for path in ["", "/", "..", place.path(".."), place.path("."), "///"] {
            #expect(throws: SnapshotError.name(path: path)) { try SnapshotWriter(directory: path) }
        }
        let long = place.path(String(repeating: "x", count: 255))
        #expect(throws: SnapshotError.file(path: long, .nameTooLong)) { try SnapshotWriter(directory: long) }
        #expect(throws: SnapshotError.file(path: place.path("no"), .noEntry)) {
            try SnapshotWriter(directory: place.path("no/s"))
        }
        try save(makeMemory(), as: place.path("slash") + "//")
        #expect(place.names == ["slash"])
    }

    @Test("what is discarded, or let go of, is gone")
    func discard() throws {
        var writer: SnapshotWriter? = try SnapshotWriter(directory: place.path("s"))
        try writer?.writeMemory(makeMemory())
        writer?.discard()
        #expect(place.names.isEmpty)
        writer = try SnapshotWriter(directory: place.path("s"))
        try writer?.writeMemory(makeMemory())
        #expect(place.names.count == 1)
        writer = nil
        #expect(place.names.isEmpty)
    }

    @Test("when a section is too long, nothing stays")
    func tooLong() throws {
        let writer = try SnapshotWriter(directory: place.path("s"))
        try writer.writeMemory(makeMemory())
        #expect(throws: SnapshotError.self) {
            try writer.finish([SnapshotSection(.device, [UInt8](repeating: 0, count: SnapshotContents.sectionLimit + 1))])
        }
        #expect(place.names.isEmpty)
    }

    @Test("when a file becomes larger than allowed, the error says which, and nothing stays", arguments: ["memory", "state"])
    func fileSize(file: String) async throws {
        await #expect(processExitsWith: .success) { [path = place.path("s") as String, file = file as String] in
            signal(SIGXFSZ, SIG_IGN)
            let size: UInt = file == "memory" ? 1 << 19 : 1 << 20
            var limit = rlimit(rlim_cur: size, rlim_max: size)
            guard setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0 else { throw Errno.current }
            let writer = try SnapshotWriter(directory: path)
            let error = #expect(throws: SnapshotError.self) {
                try writer.writeMemory(makeMemory())
                try writer.finish([SnapshotSection(.device, [UInt8](repeating: 1, count: 1 << 20 + 1))])
            }
            #expect(error == .file(path: "\(path)/\(file)", Errno(rawValue: EFBIG)))
        }
        #expect(place.names.isEmpty)
    }

    /// Whether a process of its own may mount a file system of its own.
    private static let canMount = geteuid() == 0 && !Errno.isFailure { unshare(0) }

    @Test("when the file system is full, the error says so, nothing stays, and the next save with less works",
          .enabled(if: canMount, "needs root"), arguments: ["memory", "state"])
    func full(file: String) async throws {
        await #expect(processExitsWith: .success) { [path = place.path as String, file = file as String] in
            // MS_REC and MS_PRIVATE; the file system ends with this process.
            guard unshare(CLONE_NEWNS) == 0, mount("none", "/", nil, 0x44000, nil) == 0,
                  mount("none", path, "tmpfs", 0, "size=4m") == 0 else { throw Errno.current }
            let memory = try makeMemory(8 << 20)
            let pages: Range<UInt64> = 0..<(file == "memory" ? 2000 : 500)
            for page in pages { try memory.write([1], at: page * 4096) }
            let writer = try SnapshotWriter(directory: "\(path)/s")
            let error = #expect(throws: SnapshotError.self) {
                try writer.writeMemory(memory)
                try writer.finish([SnapshotSection(.device, [UInt8](repeating: 1, count: 3 << 20))])
            }
            #expect(error == .file(path: "\(path)/s/\(file)", .noSpace))
            #expect(try names(inDirectory: path).isEmpty)
            memory.discard(at: 0, count: 7 << 20)
            try save(memory, as: "\(path)/s")
            #expect(try names(inDirectory: path) == ["s"])
        }
    }

    @Test("what a killed process leaves has no name, and the next save of that name removes it, and nothing else")
    func killed() async throws {
        await #expect(processExitsWith: .signal(SIGKILL)) { [path = place.path("s") as String] in
            let writer = try SnapshotWriter(directory: path)
            try writer.writeMemory(makeMemory())
            try withExtendedLifetime(writer) { _ in
                guard raise(SIGKILL) == 0 else { throw Errno.current }
            }
        }
        let left = try #require(partials().first)
        #expect(place.names == [left] && left.hasPrefix(".s.partial-"))
        #expect(throws: SnapshotError.missing(path: place.path("s"))) { try SnapshotReader(directory: place.path("s")) }
        #expect(throws: SnapshotError.missing(path: place.path("\(left)/state"))) {
            try SnapshotReader(directory: place.path(left))
        }

        // Of another name, of no save, with files that no snapshot has.
        let others = [".t.partial-1-0123456789abcdef", ".s.partial-1-0123", ".s.partial-x-0123456789abcdef",
                      ".s.partial-2-fedcba9876543210"]
        for other in others { try makeDirectory(place.path(other), permissions: 0o700) }
        try replaceFile(place.path(".s.partial-2-fedcba9876543210/mine"), with: [1], permissions: 0o600)
        try makeDirectory(place.path(".s.partial-3-fedcba9876543210"), permissions: 0o700)
        try save(makeMemory(), as: place.path("s"))
        #expect(place.names == (others + ["s"]).sorted())
    }

    @Test("two saves of one name at the same time leave each other alone; the first that is whole has it")
    func concurrent() throws {
        let first = try SnapshotWriter(directory: place.path("s"))
        let second = try SnapshotWriter(directory: place.path("s"))
        #expect(place.names.count == 2)
        try second.writeMemory(makeMemory())
        try first.writeMemory(makeMemory())
        try second.finish([])
        #expect(throws: SnapshotError.exists(path: place.path("s"))) { try first.finish([]) }
        #expect(place.names == ["s"])
        #expect(try SnapshotReader(directory: place.path("s")).identifier == second.identifier)
    }
}

extension Errno {
    /// Whether a call reports failure as -1.
    fileprivate static func isFailure(_ call: () -> Int32) -> Bool { call() == -1 }
}
