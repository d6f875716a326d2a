import Glibc
import GuestMemory
import LinuxSystem
@testable import Snapshot
import TestSupport

/// A directory for snapshots, removed with all that is in it.
final class Workspace: Sendable {
    private let directory = TemporaryDirectory()

    var path: String { directory.path }

    func path(_ name: String) -> String { directory.path(name) }

    deinit {
        try? removeTree(directory.path)
    }

    /// Hidden ones too.
    var names: [String] { ((try? LinuxSystem.names(inDirectory: path)) ?? []).sorted() }
}

/// Guest memory of so many bytes, in small pages: so that what is touched is what a test has touched.
func makeMemory(_ size: UInt64 = 1 << 20) throws -> GuestMemory {
    guard let layout = RAMLayout(size: size) else { throw Errno.invalidArgument }
    return inSmallPages(try GuestMemory(layout: layout))
}

/// Guest memory that maps a file: as a restored machine has it.
func makeMemory(mapping file: consuming FileDescriptor, size: UInt64 = 1 << 20) throws -> GuestMemory {
    guard let layout = RAMLayout(size: size) else { throw Errno.invalidArgument }
    return inSmallPages(try GuestMemory(layout: layout, contents: file))
}

private func inSmallPages(_ memory: GuestMemory) -> GuestMemory {
    memory.forEachRegion { region, host in _ = madvise(host, Int(region.count), MADV_NOHUGEPAGE) }
    return memory
}

/// The memory that a snapshot and its bases make.
func restore(_ path: String, size: UInt64 = 1 << 20) throws -> (memory: GuestMemory, origin: SnapshotOrigin) {
    let chain = try SnapshotChain(directory: path)
    let memory = try makeMemory(mapping: try chain.openMemory(size: size), size: size)
    try chain.applyDifferences(to: memory)
    return (memory, try chain.origin())
}

func restored(_ path: String) throws -> [UInt8] {
    bytes(of: try restore(path).memory)
}

/// What is in the memory, all regions in a row.
func bytes(of memory: GuestMemory) -> [UInt8] {
    var bytes: [UInt8] = []
    memory.forEachRegion { region, host in bytes += UnsafeRawBufferPointer(start: host, count: Int(region.count)) }
    return bytes
}

/// What the file has, zeros for its holes.
func bytes(ofFile path: String) throws -> [UInt8] {
    let file = try FileDescriptor.open(path, .readOnly)
    return try file.prefix(Int(file.status().size))
}

/// Bytes of the file that are no holes.
func dataBytes(ofFile path: String) throws -> UInt64 {
    let file = try FileDescriptor.open(path, .readOnly)
    var (sum, offset): (UInt64, UInt64) = (0, 0)
    while let data = try file.nextData(from: offset) {
        sum += UInt64(data.count)
        offset = data.upperBound
    }
    return sum
}

/// The pages, counted from the memory's begin, that this process has touched.
func touchedPages(of memory: GuestMemory) throws -> [Int] {
    let map = try PageMap()
    var pages: [Int] = []
    var first = 0
    try memory.forEachRegion { region, host in
        let count = Int(region.count) / PageMap.pageSize
        var entries = [PageMap.Entry](repeating: PageMap.Entry(rawValue: 0), count: count)
        let found = try entries.withUnsafeMutableBufferPointer { try map.read(from: UInt(bitPattern: host), into: $0) }
        pages += entries[..<found].indices.filter { entries[$0].isTouched }.map { first + $0 }
        first += count
    }
    return pages
}

let someSections = [
    SnapshotSection(.description, [1, 2, 3]), SnapshotSection(.processor, Array(0..<200)),
    SnapshotSection(.processor, []), SnapshotSection(SectionKind(rawValue: 77), [0]),
]

/// Saves all of the memory.
func save(_ memory: GuestMemory, as path: String) throws {
    let writer = try SnapshotWriter(directory: path)
    try writer.writeMemory(memory)
    try writer.finish(someSections)
}

/// Restores a snapshot, runs `change` on the memory, and saves what is different.
func saveDifference(
    from base: String, as path: String, size: UInt64 = 1 << 20, _ change: (GuestMemory) throws -> Void
) throws {
    let (memory, origin) = try restore(base, size: size)
    try change(memory)
    let writer = try SnapshotWriter(directory: path, differenceFrom: origin)
    try writer.writeMemory(memory)
    try writer.finish(someSections)
}
