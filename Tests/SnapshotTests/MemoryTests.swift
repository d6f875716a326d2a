import Glibc
import GuestMemory
import LinuxSystem
@testable import Snapshot
import Testing
import TestSupport

@Suite("A snapshot's memory")
struct MemoryTests {
    private let place = Workspace()

    @Test("has the guest's bytes, in a file of the guest's size, and holes for what was never touched or is zeros")
    func sparse() throws {
        let memory = try makeMemory(64 << 20)
        try memory.write([1, 2, 3], at: 0x5FFE)
        try memory.write([9], at: (64 << 20) - 1)
        // Touched, and zeros.
        for page in 0..<1000 as Range<UInt64> { try memory.write([0], at: 0x10_0000 + page * 4096) }
        let touched = try touchedPages(of: memory)
        #expect(touched.count == 1003)

        let writer = try SnapshotWriter(directory: place.path("s"))
        #expect(try writer.writeMemory(memory) == SavedMemory(written: 3 * 4096, copied: 0))
        #expect(try touchedPages(of: memory) == touched, "saving touches no page")
        try writer.finish(someSections)

        let file = place.path("s/memory")
        #expect(try bytes(ofFile: file) == bytes(of: memory))
        #expect(try dataBytes(ofFile: file) <= 1 << 20)
        #expect(try fileAttributes(at: file).blocks * 512 <= 1 << 20)
    }

    @Test("has the regions on both sides of the hole below 4 GiB one after the other")
    func regions() throws {
        let size: UInt64 = 4 << 30
        let memory = try makeMemory(size)
        let low: UInt64 = 0xC000_0000
        let places: [(UInt64, UInt64)] = [(0, 0), (low - 1, low - 1), (1 << 32, low), (5 << 30 - 1, 4 << 30 - 1)]
        for (index, place) in places.enumerated() { try memory.write([UInt8(index + 1)], at: place.0) }
        try save(memory, as: place.path("s"))
        let file = try SnapshotReader(directory: place.path("s")).openMemory(size: size)
        for (index, place) in places.enumerated() {
            var byte = [0 as UInt8]
            #expect(try byte.withUnsafeMutableBytes { try file.read(into: $0, at: place.1) } == 1)
            #expect(byte == [UInt8(index + 1)])
        }
        #expect(try dataBytes(ofFile: place.path("s/memory")) <= 1 << 20)
    }

    @Test("pages at random come back, whatever lies between them", arguments: 0..<4)
    func random(round: Int) throws {
        let seed = UInt64.random(in: 0 ... .max)
        print("random memory \(round): seed \(seed)")
        var random = SplitMix64(seed: seed)
        let memory = try makeMemory(16 << 20)
        for _ in 0..<60 {
            let page = UInt64(random.below(4096))
            let count = min(1 + random.below(random.below(10) == 0 ? 1500 : 8), 4096 - Int(page))
            let isZero = random.below(3) == 0
            for index in 0..<UInt64(count) {
                try memory.write(isZero ? 0 : random.next(), at: (page + index) * 4096 + UInt64(random.below(512) * 8))
            }
        }
        try save(memory, as: place.path("s"))
        #expect(try bytes(ofFile: place.path("s/memory")) == bytes(of: memory), "seed \(seed)")
    }

    @Test("without /proc/self/pagemap all pages are looked at, and those of zeros are holes all the same")
    func withoutPageMap() throws {
        let memory = try makeMemory(16 << 20)
        try memory.write([7], at: 0x8000)
        let writer = try SnapshotWriter(directory: place.path("s"))
        writer.usesPageMap = false
        #expect(try writer.writeMemory(memory).written == 4096)
        try writer.finish([])
        #expect(try bytes(ofFile: place.path("s/memory")) == bytes(of: memory))
        #expect(try dataBytes(ofFile: place.path("s/memory")) <= 1 << 20)
    }

    /// A snapshot's file of 16 MiB: the first 32 pages, and four in the middle, have a number each.
    private func saveBase() throws {
        let base = try makeMemory(16 << 20)
        for page in 0..<32 as Range<UInt64> { try base.write([UInt8(page + 1)], at: page * 4096 + 5) }
        for page in 2048..<2052 as Range<UInt64> { try base.write([UInt8(page - 2000)], at: page * 4096) }
        try save(base, as: place.path("base"))
    }

    @Test("of a machine that maps a file is that file's, but for what the guest has changed; no page is touched for it",
          arguments: [true, false])
    func mapping(usesPageMap: Bool) throws {
        try saveBase()
        let memory = try restore(place.path("base"), size: 16 << 20).memory
        // Changed; changed to zeros; written in a hole; only read, in data and in a hole.
        try memory.write([0xAA], at: 3 * 4096)
        try memory.write([UInt8](repeating: 0, count: 4096), at: 4 * 4096)
        try memory.write([0xBB], at: 1000 * 4096)
        #expect(try memory.read(UInt8.self, at: 5 * 4096 + 5) == 6)
        #expect(try memory.read(UInt8.self, at: 1001 * 4096) == 0)
        let touched = try touchedPages(of: memory)
        #expect(privateBytes(of: memory) == 3 * 4096)

        let writer = try SnapshotWriter(directory: place.path("s"))
        writer.usesPageMap = usesPageMap
        let saved = try writer.writeMemory(memory)
        if usesPageMap {
            #expect(try touchedPages(of: memory) == touched)
            #expect(saved.written == 2 * 4096 && saved.copied >= 34 * 4096 && saved.copied <= 1 << 20)
        } else {
            #expect(saved == SavedMemory(written: 36 * 4096, copied: 0))
        }
        try writer.finish([])
        #expect(try bytes(ofFile: place.path("s/memory")) == bytes(of: memory))
        #expect(try dataBytes(ofFile: place.path("s/memory")) <= 1 << 20)
        #expect(try SnapshotReader(directory: place.path("s")).base == nil)
    }

    @Test("is not made of what has been cut off under the guest")
    func otherSize() throws {
        let directory = TemporaryDirectory()
        let path = try directory.sparseFile("f", size: 1 << 20)
        let memory = try makeMemory(mapping: .open(path, .readOnly))
        try FileDescriptor.open(path, .writeOnly).setSize(4096)
        let writer = try SnapshotWriter(directory: place.path("s"))
        #expect(throws: SnapshotError.memorySize(path: place.path("s"), found: 4096, expected: 1 << 20)) {
            try writer.writeMemory(memory)
        }
        #expect(place.names.isEmpty)
    }

    @Test("what the guest has given back is as the file has it")
    func discarded() throws {
        try saveBase()
        let memory = try restore(place.path("base"), size: 16 << 20).memory
        try memory.write([0xAA], at: 5)
        memory.discard(at: 0, count: 4096)
        try save(memory, as: place.path("s"))
        #expect(try restore(place.path("s"), size: 16 << 20).memory.read(UInt8.self, at: 5) == 1)
    }

    @Test("what this process has of its own is told without touching anything")
    func privatePages() throws {
        let memory = try makeMemory(4 << 30)
        #expect(privateBytes(of: memory) == 0)
        try memory.write([1], at: 0)
        try memory.write([1], at: 1 << 32)
        #expect(privateBytes(of: memory) == 8192)
        memory.discard(at: 0, count: 4096)
        #expect(privateBytes(of: memory) == 4096)
    }
}
