@testable import Boot
import TestSupport
import Testing

@Suite("ELF kernels")
struct ELFTests {
    private static func segment(_ change: (inout ELFBuilder.Segment) -> Void) -> [UInt8] {
        ELFBuilder.make { change(&$0.segments[0]) }
    }

    @Test("segments go to their physical addresses; memory beyond the file's bytes is counted")
    func segments() throws {
        let plan = try plan(Self.segment { $0.memoryCount = 0x1000 })
        #expect(plan.format == .elf)
        #expect(plan.segments == [.init(fileOffset: 120, fileCount: 256, address: 0x100_0000, memoryCount: 0x1000)])
        #expect(plan.entry == Entry(kind: .linux64, address: 0x100_0000))
        #expect(plan.setupHeader == nil)
        #expect(plan.commandLineLimit == 2047)
    }

    @Test("files for other machines are named", arguments: [
        (ELFBuilder.make { $0.machine = 183 }, "arm64 (ELF)"), (ELFBuilder.make { $0.machine = 3 }, "32-bit x86 (ELF)"),
        (ELFBuilder.make { $0.machine = 243 }, "RISC-V (ELF)"),
        (ELFBuilder.make { $0.elfClass = 1 }, "32-bit x86 (ELF32)"),
        (ELFBuilder.make { $0.machine = 8 }, "ELF machine 8"),
        (ELFBuilder.make { $0.dataEncoding = 2; $0.machine = 22 << 8 }, "ELF machine 5632 or a big-endian one"),
    ])
    func machines(bytes: [UInt8], name: String) {
        #expect(planError(bytes) == .otherMachine(found: name))
    }

    @Test("object files, core dumps and files without a segment are no kernels", arguments: [
        ELFBuilder.make { $0.type = 0 }, ELFBuilder.make { $0.type = 1 }, ELFBuilder.make { $0.type = 4 },
        ELFBuilder.make { $0.segments[0].type = 2 }, ELFBuilder.make { $0.segments[0].type = 4 },
        ELFBuilder.make { $0.segments[0].bytes = [] },
    ])
    func notAKernel(bytes: [UInt8]) {
        #expect(planError(bytes)?.isNotAKernel == true)
    }

    @Test("offsets past the end of the file are refused (linux-loader's GHSA-52h2-m2cf-9jh6)", arguments: [
        segment { $0.fileCount = 257; $0.memoryCount = 257 }, segment { $0.offset = 121 }, segment { $0.offset = .max },
        segment { $0.offset = .max - 255 }, segment { $0.fileCount = .max; $0.memoryCount = .max },
        ELFBuilder.make { $0.tableOffset = .max }, ELFBuilder.make { $0.tableOffset = .max - 55 },
        ELFBuilder.make { $0.tableOffset = 400 }, ELFBuilder.make { $0.tableOffset = 1 << 40 },
        ELFBuilder.make { $0.count = 128 },
        ELFBuilder.make(notes: [1]) { $0.segments[1].offset = .max },
        ELFBuilder.make(notes: [1]) { $0.segments[1].fileCount = .max },
    ])
    func truncated(bytes: [UInt8]) {
        #expect(planError(bytes)?.isTruncated == true)
    }

    @Test("headers that contradict themselves are refused", arguments: [
        Sample("more in the file than in memory", segment { $0.memoryCount = 255 }),
        Sample("a segment below 1 MiB", segment { $0.address = 0xF_F000 }),
        Sample("a segment that wraps", segment { $0.address = .max - 0xFF; $0.memoryCount = 0x1000 }),
        Sample("an entry before all segments", ELFBuilder.make { $0.entry = 0xFF_FFFF }),
        Sample("an entry behind all segments", ELFBuilder.make { $0.entry = 0x100_0100 }),
        Sample("an entry at the end of all", ELFBuilder.make { $0.entry = .max }),
        Sample("no program headers", ELFBuilder.make { $0.count = 0 }),
        Sample("too many program headers", ELFBuilder.make { $0.count = 129 }),
        Sample("most program headers", ELFBuilder.make { $0.count = .max }),
        Sample("program headers of another size", ELFBuilder.make { $0.entrySize = 32 }),
    ])
    func invalid(sample: Sample) {
        #expect(planError(sample.bytes)?.isInvalidHeader == true)
    }

    @Test("a kernel without room for the guest is refused")
    func tooLarge() throws {
        let plan = try plan(Self.segment { $0.memoryCount = 0xFFFF_FFFF_0000_0000 })
        #expect(throws: BootError.self) {
            try BootLoader(layout: layout(512 << 20), plan: plan, initrdSize: nil, commandLine: "")
        }
    }

    @Test("a file cut anywhere is refused")
    func truncation() {
        let whole = ELFBuilder.make(notes: ELFBuilder.pvhNote(0x100_0000))
        for count in whole.indices { #expect(planError(Array(whole.prefix(count))) != nil, "cut after \(count) bytes") }
    }

    // MARK: Notes

    private static let pvh = ELFBuilder.pvhNote(0x100_0010)
    private static let linux = ELFBuilder.linuxNote

    @Test("the entry is chosen by notes and wish", arguments: [
        ([], .automatic, Entry(kind: .linux64, address: 0x100_0000)),
        ([], .linux, Entry(kind: .linux64, address: 0x100_0000)),
        ([], .pvh, nil),
        (linux, .automatic, Entry(kind: .linux64, address: 0x100_0000)), (linux, .pvh, nil),
        (pvh, .automatic, Entry(kind: .pvh, address: 0x100_0010)),
        (pvh, .linux, Entry(kind: .linux64, address: 0x100_0000)),
        (pvh, .pvh, Entry(kind: .pvh, address: 0x100_0010)),
        (pvh + linux, .automatic, Entry(kind: .linux64, address: 0x100_0000)),
        (linux + pvh, .automatic, Entry(kind: .linux64, address: 0x100_0000)),
        (linux + pvh, .pvh, Entry(kind: .pvh, address: 0x100_0010)),
    ] as [([UInt8], EntryChoice, Entry?)])
    func choice(notes: [UInt8], choice: EntryChoice, entry: Entry?) {
        let bytes = ELFBuilder.make(notes: notes)
        #expect((try? plan(bytes, choice))?.entry == entry)
    }

    @Test("a PVH entry of 8 bytes is read whole, one outside all segments is refused")
    func wideEntry() throws {
        let inside = ELFBuilder.make(notes: ELFBuilder.pvhNote(0x100_0020, bytes: 8))
        #expect(try plan(inside, .pvh).entry.address == 0x100_0020)
        let outside = ELFBuilder.make(notes: ELFBuilder.pvhNote(0x1_0100_0020, bytes: 8))
        #expect(planError(outside, .pvh)?.isInvalidHeader == true)
    }

    @Test("damaged notes end the search without harm", arguments: [
        ELFBuilder.note([1, 2, 3, 4], size: .max), ELFBuilder.note([1, 2, 3, 4], size: 0x7FFF_FFFF),
        ELFBuilder.note([1, 2, 3, 4], size: 100), [0xFF, 0xFF, 0xFF, 0xFF, 4, 0, 0, 0, 18, 0, 0, 0],
        [0xFF, 0xFF, 0xFF, 0x7F, 4, 0, 0, 0, 18, 0, 0, 0], [UInt8](repeating: 0, count: 4096), [4, 0, 0, 0], [1],
        [4, 0, 0, 0, 8, 0, 0, 0, 18, 0, 0, 0] + Array("Xen\0".utf8) + [1, 2, 3],
    ])
    func damagedNotes(notes: [UInt8]) throws {
        #expect(planError(ELFBuilder.make(notes: notes), .pvh)?.isInvalidHeader == true)
        #expect(try plan(ELFBuilder.make(notes: notes), .linux).entry.kind == .linux64)
    }

    @Test("a note behind others is found")
    func laterNote() throws {
        let notes = ELFBuilder.note(name: "GNU\0", type: 3, [1, 2, 3, 4, 5])
            + ELFBuilder.note(name: "Xen\0", type: 5, [1])
            + ELFBuilder.note(name: "XXX\0", type: 18, [9, 9, 9, 9]) + Self.pvh
        #expect(try plan(ELFBuilder.make(notes: notes), .pvh).entry.address == 0x100_0010)
    }
}
