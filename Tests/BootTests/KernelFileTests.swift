@testable import Boot
import LinuxSystem
import TestSupport
import Testing

@Suite("Kernel files")
struct KernelFileTests {
    @Test("what is no kernel is named", arguments: [
        ([], "an empty file"), ([0x1F, 0x8B, 8, 0], "a gzip file (unpack it first)"),
        ([0x28, 0xB5, 0x2F, 0xFD], "a zstd file (unpack it first)"),
        ([0xFD] + Array("7zXZ".utf8), "an xz file (unpack it first)"),
        ([1, 2, 3], "no kernel header"), ([UInt8](repeating: 0, count: 4096), "no kernel header"),
    ] as [([UInt8], String)])
    func unknown(bytes: [UInt8], name: String) {
        #expect(planError(bytes) == .notAKernel(found: name))
    }

    @Test("images for other machines are named", arguments: [
        (Array("ARM".utf8) + [0x64], "arm64 (Image)"), (Array("RSC".utf8) + [5], "RISC-V (Image)"),
    ])
    func otherImages(magic: [UInt8], name: String) {
        #expect(planError([UInt8](repeating: 0, count: 56) + magic) == .otherMachine(found: name))
    }

    @Test("directories, FIFOs and devices are no kernels and no initrds, and are not waited for")
    func kinds() throws {
        let directory = TemporaryDirectory()
        for path in [directory.path, directory.makeFIFO("fifo"), "/dev/zero"] {
            #expect(throws: BootError.notAKernel(found: "not a regular file")) {
                _ = try KernelFile(try FileDescriptor.open(path, [.readOnly, .nonBlocking]))
            }
            #expect(throws: BootError.initrdKind) {
                _ = try InitrdFile(try FileDescriptor.open(path, [.readOnly, .nonBlocking]))
            }
        }
    }

    @Test("damaged bzImages never crash the planner", arguments: 1...2 as ClosedRange<UInt64>)
    func bzImageFuzz(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let whole = Array(BzImageBuilder().bytes.prefix(0x290))
        let extremes: [UInt8] = [0, 1, 0x7F, 0x80, 0xFF]
        let magic = Set(0x1FE...0x1FF).union(0x202...0x205)
        for _ in 0..<25_000 {
            var bytes = whole
            for _ in 0...random.below(6) {
                let offset = 0x1F1 + random.below(0x290 - 0x1F1)
                let count = min(random.pick([1, 2, 4, 8]), bytes.count - offset)
                for place in offset..<(offset + count) where !magic.contains(place) {
                    bytes[place] = random.below(2) == 0 ? random.pick(extremes) : UInt8(truncatingIfNeeded: random.next())
                }
            }
            let fileSize = random.pick([UInt64(bytes.count), 4096, 1 << 20, 1 << 32, 1 << 50, 0])
            guard let plan = try? KernelPlan(bzImage: ByteReader(bytes), fileSize: fileSize) else { continue }
            check(plan, fileSize, seed, &random)
        }
    }

    @Test("damaged ELF files never crash the planner", arguments: 3...4 as ClosedRange<UInt64>)
    func elfFuzz(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let notes = ELFBuilder.linuxNote + ELFBuilder.pvhNote(0x100_0000)
        let whole = ELFBuilder.make(notes: notes)
        for _ in 0..<25_000 {
            var bytes = whole
            for _ in 0...random.below(5) {
                let offset = random.below(bytes.count - 8)
                switch random.below(3) {
                case 0: bytes.put(random.pick([0, 1, .max, .max - 7, 1 << 63, 1 << 32, 0xC000_0000] as [UInt64]),
                    at: offset & ~7)
                case 1: bytes.put(UInt8(truncatingIfNeeded: random.next()), at: offset)
                default: bytes.put(random.next(), at: offset)
                }
            }
            let fileSize = UInt64(bytes.count)
            var damagedNotes = KernelNotes()
            damagedNotes.read(Array(bytes.suffix(notes.count)))
            guard let elf = try? ELFKernel(ByteReader(bytes), fileSize: fileSize),
                  let plan = try? KernelPlan(elf: elf, notes: damagedNotes,
                      choice: random.pick([.automatic, .linux, .pvh]))
            else { continue }
            check(plan, fileSize, seed, &random)
        }
    }

    /// What holds for every plan, however damaged its file.
    private func check(_ plan: KernelPlan, _ fileSize: UInt64, _ seed: UInt64, _ random: inout SplitMix64) {
        for segment in plan.segments {
            let isInside = segment.fileOffset <= fileSize && segment.fileCount <= fileSize - segment.fileOffset
                && segment.fileCount <= segment.memoryCount && segment.address >= 0x10_0000
            if !isInside { Issue.record("\(segment) of \(fileSize) bytes, seed \(seed)") }
        }
        guard let layout = try? layout(random.pick([1 << 20, 64 << 20, 3 << 30, 8 << 30])),
              let loader = try? BootLoader(layout: layout, plan: plan,
                  initrdSize: random.pick([nil, 1, 5 << 20, 1 << 31, .max]),
                                           commandLine: "quiet") else { return }
        if plan.extent.upperBound > layout.low.end { Issue.record("\(plan.extent) is not RAM, seed \(seed)") }
        if let initrd = loader.initrd,
           initrd.address < plan.extent.upperBound || initrd.address + initrd.count > layout.low.end {
            Issue.record("\(initrd) does not fit, seed \(seed)")
        }
    }
}
