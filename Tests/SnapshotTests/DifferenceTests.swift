import Glibc
import GuestMemory
import LinuxSystem
@testable import Snapshot
import Testing
import TestSupport

@Suite("Snapshots that are differences")
struct DifferenceTests {
    private let place = Workspace()

    /// A snapshot of 1 MiB whose pages 0 to 9 each have their number.
    private func makeBase() throws -> [UInt8] {
        let memory = try makeMemory()
        for page in 0..<10 as Range<UInt64> { try memory.write([UInt8(page + 1)], at: page * 4096) }
        try save(memory, as: place.path("base"))
        return bytes(of: memory)
    }

    @Test("have only what is no longer as in the base, zeros too, and make the same memory with it")
    func roundTrip() throws {
        var expected = try makeBase()
        try saveDifference(from: place.path("base"), as: place.path("d")) { memory in
            try memory.write([0xAA], at: 2 * 4096 + 1)
            try memory.write([UInt8](repeating: 0, count: 4096), at: 3 * 4096)
            try memory.write([0xBB], at: 200 * 4096)
            // Only read.
            #expect(try memory.read(UInt8.self, at: 9 * 4096) == 10)
        }
        expected[2 * 4096 + 1] = 0xAA
        expected.replaceSubrange((3 * 4096)..<(4 * 4096), with: [UInt8](repeating: 0, count: 4096))
        expected[200 * 4096] = 0xBB
        #expect(try restored(place.path("d")) == expected)

        let reader = try SnapshotReader(directory: place.path("d"))
        let base = try SnapshotReader(directory: place.path("base"))
        #expect(reader.base == SnapshotBase(path: try canonicalPath(place.path("base")), identifier: base.identifier))
        #expect(reader.contents.sections == someSections)
        let pages = try #require(reader.contents.pages)
        #expect((0..<256).filter { pages.nextRun(from: $0)?.lowerBound == $0 } == [2, 3, 200])
        #expect(try reader.openMemory(size: 1 << 20).status().size == 1 << 20)
        #expect(try dataBytes(ofFile: place.path("d/memory")) < 1 << 20)
    }

    @Test("may differ on both sides of the hole below 4 GiB")
    func regions() throws {
        let (size, low, high) = (4 << 30, 0xC000_0000 - 4096, 1 << 32) as (UInt64, UInt64, UInt64)
        let memory = try makeMemory(size)
        for address in [0, low, high, high + 8192] { try memory.write([1, 1], at: address) }
        try save(memory, as: place.path("base"))
        // The first two are neighbours in the file.
        try saveDifference(from: place.path("base"), as: place.path("d"), size: size) { memory in
            for address in [low, high, 5 << 30 - 4096] as [UInt64] { try memory.write([2], at: address) }
        }
        let again = try restore(place.path("d"), size: size).memory
        let words: [(UInt64, UInt16)] = [(0, 0x101), (low, 0x102), (high, 0x102), (high + 8192, 0x101), (5 << 30 - 4096, 2)]
        for (address, word) in words { #expect(try again.read(UInt16.self, at: address) == word) }
    }

    @Test("do not depend on their file's holes: copies with more or fewer of them are as good")
    func copies() throws {
        _ = try makeBase()
        try saveDifference(from: place.path("base"), as: place.path("d")) { memory in
            try memory.write([0xAA], at: 2 * 4096)
            try memory.write([UInt8](repeating: 0, count: 4096), at: 3 * 4096)
        }
        let expected = try restored(place.path("d"))
        let whole = try bytes(ofFile: place.path("d/memory"))
        let file = try FileDescriptor.open(place.path("d/memory"), [.writeOnly])
        try whole.withUnsafeBytes { try file.writeAll($0) }
        #expect(try restored(place.path("d")) == expected)
    }

    @Test("without /proc/self/pagemap have all pages, and are right all the same")
    func withoutPageMap() throws {
        _ = try makeBase()
        let (memory, origin) = try restore(place.path("base"))
        try memory.write([0xAA], at: 0x7000)
        let writer = try SnapshotWriter(directory: place.path("d"), differenceFrom: origin)
        writer.usesPageMap = false
        try writer.writeMemory(memory)
        try writer.finish([])
        #expect(try restored(place.path("d")) == bytes(of: memory))
    }

    @Test("can be the bases of others, sixteen in a row and no more")
    func chain() throws {
        _ = try makeBase()
        var path = place.path("base")
        for index in 1..<16 {
            let next = place.path("d\(index)")
            try saveDifference(from: path, as: next) { try $0.write([UInt8(index)], at: UInt64(100 + index) * 4096) }
            path = next
        }
        let memory = try restored(path)
        for index in 1..<16 { #expect(memory[(100 + index) * 4096] == UInt8(index)) }
        #expect(memory[4096] == 2)
        #expect(try SnapshotChain(directory: path).readers.count == 16)
        #expect(throws: SnapshotError.tooDeep(path: place.path("d16"), limit: 16)) {
            try saveDifference(from: path, as: place.path("d16")) { _ in }
        }
        #expect(!place.names.contains { $0.contains("d16") })
    }

    @Test("save the later of two changes of a page, whichever file has the earlier")
    func later() throws {
        _ = try makeBase()
        try saveDifference(from: place.path("base"), as: place.path("d")) { try $0.write([0x11, 0x22], at: 4096) }
        try saveDifference(from: place.path("d"), as: place.path("e")) { try $0.write([0x33], at: 4096) }
        #expect(try Array(restored(place.path("e"))[4096..<4099]) == [0x33, 0x22, 0])
        // And all of it in a snapshot that stands alone.
        try save(restore(place.path("e")).memory, as: place.path("whole"))
        #expect(try restored(place.path("whole")) == restored(place.path("e")))
        #expect(try SnapshotReader(directory: place.path("whole")).base == nil)
    }

    /// Writes a difference's state by hand.
    private func forge(
        _ name: String, base: String, _ identifier: SnapshotIdentifier, own: SnapshotIdentifier, size: UInt64 = 1 << 20
    ) throws {
        let directory = place.path(name)
        try makeDirectories(directory, permissions: 0o700)
        let pages = PageBitmap(pageCount: SnapshotContents.pageCount(size))
        let contents = SnapshotContents(identifier: own, memorySize: size,
                                        difference: (SnapshotBase(path: base, identifier: identifier), pages), sections: [])
        try replaceFile("\(directory)/state", with: try contents.encoded(file: directory), permissions: 0o600)
        try replaceFile("\(directory)/memory", with: [], permissions: 0o600)
        try FileDescriptor.open("\(directory)/memory", .writeOnly).setSize(size)
    }

    @Test("are refused where their bases lead back to them")
    func loops() throws {
        let (one, two) = (try SnapshotIdentifier.random(), try SnapshotIdentifier.random())
        try forge("a", base: place.path("a"), one, own: one)
        #expect(throws: SnapshotError.loop(path: place.path("a/state"))) { try SnapshotChain(directory: place.path("a")) }
        try forge("a", base: place.path("b"), two, own: one)
        try forge("b", base: place.path("a"), one, own: two)
        #expect(throws: SnapshotError.loop(path: place.path("a/state"))) { try SnapshotChain(directory: place.path("a")) }
    }

    @Test("are refused where a base is another snapshot than they name, is not there, or has other RAM")
    func otherBases() throws {
        _ = try makeBase()
        let base = try SnapshotReader(directory: place.path("base")).identifier
        let (own, other) = (try SnapshotIdentifier.random(), try SnapshotIdentifier.random())
        try forge("a", base: place.path("base"), other, own: own)
        #expect(throws: SnapshotError.otherSnapshot(path: place.path("base/state"), found: base, expected: other)) {
            try SnapshotChain(directory: place.path("a"))
        }
        try forge("a", base: place.path("gone"), base, own: own)
        #expect(throws: SnapshotError.missing(path: place.path("gone"))) { try SnapshotChain(directory: place.path("a")) }
        try forge("a", base: place.path("base"), base, own: own, size: 2 << 20)
        #expect(throws: SnapshotError.otherMemory(path: place.path("base/state"), found: 1 << 20, expected: 2 << 20)) {
            try SnapshotChain(directory: place.path("a"))
        }
    }

    @Test("are not made of memory that maps another file than the base's, or none")
    func otherFile() throws {
        _ = try makeBase()
        try save(makeMemory(), as: place.path("other"))
        let origin = try SnapshotChain(directory: place.path("base")).origin()
        for memory in [try restore(place.path("other")).memory, try makeMemory()] {
            let writer = try SnapshotWriter(directory: place.path("d"), differenceFrom: origin)
            #expect(throws: SnapshotError.otherBase(path: origin.base.path)) { try writer.writeMemory(memory) }
        }
        #expect(place.names == ["base", "other"])
    }

    @Test("are found again from another working directory: the base's path is absolute")
    func absolutePath() async throws {
        _ = try makeBase()
        await #expect(processExitsWith: .success) { [path = place.path as String] in
            guard chdir(path) == 0 else { throw Errno.current }
            try saveDifference(from: "base", as: "d") { try $0.write([5], at: 0) }
        }
        #expect(try restored(place.path("d"))[0] == 5)
    }
}
