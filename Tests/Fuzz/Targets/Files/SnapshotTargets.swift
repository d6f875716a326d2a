import Glibc
import GuestMemory
import LinuxSystem
import Snapshot
import TestSupport
import Wire

/// The files of a snapshot, damaged, with checksums that are right all the same.
enum SnapshotTargets {
    /// The file `state`: what is read is written as it was.
    static let state = FuzzTarget("snapshot-state", maximumLength: 2048) { input in
        var bytes = encoded(&input)
        if input.once(in: 2) {
            ByteMutation.mutate(&bytes, &input)
            if !input.once(in: 3) { seal(&bytes) }
        }
        check(bytes)
    }

    /// A directory with such files, read as one, with its memory and its bases.
    static let directory = FuzzTarget("snapshot-directory", maximumLength: 2048) { input in
        let directory = TemporaryDirectory()
        let names = ["one", "two"]
        defer { for name in names { try? removeTree(directory.path(name)) } }
        for name in names {
            let path = directory.makeDirectory(name)
            var bytes = encoded(&input, base: input.once(in: 2) ? directory.path(input.pick(names)) : nil)
            if input.once(in: 4) {
                ByteMutation.mutate(&bytes, &input)
                seal(&bytes)
            }
            try put(bytes, at: "\(path)/state", &input)
            try put([UInt8](repeating: 0, count: input.pick([0, 4096, 1 << 20, 100])), at: "\(path)/memory", &input)
        }
        do throws(SnapshotError) {
            let chain = try SnapshotChain(directory: directory.path("one"))
            require(chain.readers.count <= SnapshotChain.depthLimit, "\(chain.readers.count) snapshots in a row")
            let size = chain.newest.contents.memorySize
            let file = try chain.openMemory(size: size)
            guard size <= 1 << 20, let layout = RAMLayout(size: size) else { return }
            guard let memory = try? GuestMemory(layout: layout, contents: file) else { violation("memory of its own size is not mapped") }
            try chain.applyDifferences(to: memory)
            _ = try chain.origin()
        } catch {
            require(!"\(error)".isEmpty, "an error without a word")
        }
    }

    /// A file, or what else could have its name.
    private static func put(_ bytes: [UInt8], at path: String, _ input: inout FuzzInput) throws {
        switch input.below(24) {
        case 23: mkfifo(path, 0o600)
        case 22: mkdir(path, 0o700)
        case 21: symlink("/dev/zero", path)
        case 20: return
        default:
            let file = try FileDescriptor.open(path, [.writeOnly, .create, .truncate])
            try bytes.withUnsafeBytes { try file.writeAll($0) }
        }
    }

    /// By the format in `SnapshotContents`, written out again here.
    private static func encoded(_ input: inout FuzzInput, base: String? = nil) -> [UInt8] {
        var fields = WireEncoder()
        for _ in 0..<15 { fields.encode(7 as UInt8) }
        fields.encode(UInt8(input.below(3)))
        let size = input.once(in: 4) ? input.number() : 1 << 20 as UInt64
        fields.encode(size)
        let hasBase = base != nil || input.once(in: 4)
        fields.encode(hasBase ? 1 as UInt8 : 0)
        if hasBase {
            fields.encode(base ?? input.pick(["/nowhere", "", "relative", "/a\0b"]))
            for _ in 0..<15 { fields.encode(7 as UInt8) }
            fields.encode(UInt8(input.below(3)))
        }
        var sections: [(UInt32, [UInt8])] = (0..<input.below(4)).map { _ in (UInt32(input.below(12)), input.some(60)) }
        if hasBase, !input.once(in: 8) { sections.append((pagesKind, input.take(32) + [UInt8](repeating: 0, count: 32))) }
        fields.encode(UInt32(sections.count))
        for (kind, bytes) in sections {
            fields.encode(kind)
            fields.encode(input.once(in: 24) ? input.number() : UInt64(bytes.count))
            fields.encode(checksum(bytes[...]))
        }
        var prefix = WireEncoder()
        for byte in Array("SVMMSNAP".utf8) { prefix.encode(byte) }
        prefix.encode(input.once(in: 32) ? input.number() : 1 as UInt32)
        prefix.encode(UInt32(16 + fields.bytes.count + 4))
        var bytes = prefix.bytes + fields.bytes
        var sum = WireEncoder()
        sum.encode(checksum(bytes[...]))
        bytes += sum.bytes
        return bytes + sections.flatMap(\.1)
    }

    /// The kind of the map of pages, which only the format has.
    private static let pagesKind: UInt32 = 0x8000_0000

    /// Makes the header's length and checksum those of its first bytes.
    private static func seal(_ bytes: inout [UInt8]) {
        guard bytes.count >= 20 else { return }
        let length = Int(bytes.get(UInt32.self, at: 12))
        guard length >= 20, length <= bytes.count else { return }
        bytes.put(checksum(bytes[..<(length - 4)]), at: length - 4)
    }

    /// CRC-32C, bit by bit.
    private static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt32 {
        var value = UInt32.max
        for byte in bytes {
            value ^= UInt32(byte)
            for _ in 0..<8 { value = value >> 1 ^ (value & 1 == 1 ? 0x82F6_3B78 : 0) }
        }
        return ~value
    }

    private static func check(_ bytes: [UInt8]) {
        do throws(SnapshotError) {
            let contents = try SnapshotContents(decoding: bytes, file: "state")
            require(RAMLayout(size: contents.memorySize) != nil, "\(contents.memorySize) bytes of RAM")
            require(contents.sections.allSatisfy { $0.kind.rawValue != pagesKind }, "the map of pages is among the machine's sections")
            let again = try SnapshotContents(decoding: bytes, file: "state")
            require(again == contents, "the same bytes are two snapshots")
        } catch {
            require(!"\(error)".isEmpty, "an error without a word")
        }
    }
}
