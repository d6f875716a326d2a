@testable import Boot
import TestSupport
import Testing

@Suite("bzImage")
struct BzImageTests {
    @Test("the code is loaded where the header prefers and entered in 64-bit mode")
    func plain() throws {
        let plan = try plan(BzImageBuilder().bytes)
        #expect(plan.format == .bzImage)
        let segment = KernelPlan.Segment(fileOffset: 1536, fileCount: 1024, address: 0x100_0000, memoryCount: 0x30_0000)
        #expect(plan.segments == [segment])
        #expect(plan.entry == Entry(kind: .linux64, address: 0x100_0200))
        #expect(plan.initrdAddressMaximum == 0x7FFF_FFFF)
        #expect(plan.commandLineLimit == 2047)
        #expect(plan.extent == 0x100_0000..<0x130_0000)
    }

    @Test("a kernel without the 64-bit entry is entered in 32-bit mode")
    func entry32() throws {
        let plan32 = try plan(BzImageBuilder.make { $0.extendedLoadFlags = 0 })
        #expect(plan32.entry == Entry(kind: .linux32, address: 0x100_0000))
        // The flags came with 2.12.
        #expect(try plan(BzImageBuilder.make { $0.version = 0x020B }).entry.kind == .linux32)
    }

    @Test("no setup sectors means four")
    func setupSectors() throws {
        #expect(try plan(BzImageBuilder.make { $0.setupSectors = 0 }).segments[0].fileOffset == 5 * 512)
        #expect(try plan(BzImageBuilder.make { $0.setupSectors = 255 }).segments[0].fileOffset == 256 * 512)
    }

    @Test("before 2.10 the kernel is loaded at 1 MiB and gets three times its size")
    func oldProtocol() throws {
        let plan = try plan(BzImageBuilder.make { $0.version = 0x0206; $0.isRelocatable = 0 })
        #expect(plan.segments[0].address == 0x10_0000)
        #expect(plan.segments[0].memoryCount == 3 * 1024)
        #expect(plan.entry == Entry(kind: .linux32, address: 0x10_0000))
    }

    @Test("the preferred address is rounded up to the alignment, if the kernel can be moved",
          arguments: [(1, 0x100_1000, 0x120_0000), (0, 0x100_1000, 0x100_1000), (1, 0, 0x20_0000), (0, 0, 0x10_0000)]
              as [(UInt8, UInt64, UInt64)])
    func alignment(isRelocatable: UInt8, wanted: UInt64, address: UInt64) throws {
        let bytes = BzImageBuilder.make { $0.isRelocatable = isRelocatable; $0.preferredAddress = wanted }
        #expect(try plan(bytes).segments[0].address == address)
    }

    @Test("an image whose last 16 bytes are cut short is complete", arguments: 1009...1024)
    func lastUnit(count: Int) throws {
        #expect(try plan(BzImageBuilder.make { $0.codeCount = count }).segments[0].fileCount == UInt64(count))
    }

    @Test("headers that cannot be right are refused", arguments: [
        Sample("an old protocol", BzImageBuilder.make { $0.version = 0x0205 }),
        Sample("no protocol", BzImageBuilder.make { $0.version = 0 }),
        Sample("a zImage", BzImageBuilder.make { $0.loadFlags = 0 }),
        Sample("no code", BzImageBuilder.make { $0.systemSize = 0; $0.codeCount = 100 }),
        Sample("an alignment of no power of two", BzImageBuilder.make { $0.kernelAlignment = 0x30_0000 }),
        Sample("no alignment", BzImageBuilder.make { $0.kernelAlignment = 0 }),
        Sample("an address below 1 MiB", BzImageBuilder.make { $0.preferredAddress = 0xF_FFFF }),
        Sample("an address above 3 GiB", BzImageBuilder.make { $0.preferredAddress = 0xC000_0000 }),
        Sample("an address that reaches 3 GiB by alignment", BzImageBuilder.make { $0.preferredAddress = 0xBFF0_0000 }),
        Sample("an address whose alignment wraps", BzImageBuilder.make { $0.preferredAddress = .max }),
        Sample("a fixed address above 3 GiB",
            BzImageBuilder.make { $0.preferredAddress = 0x1_0000_0000; $0.isRelocatable = 0 }),
        Sample("a fixed address at the end of all",
            BzImageBuilder.make { $0.preferredAddress = .max; $0.isRelocatable = 0 }),
        Sample("a fixed address whose entry wraps",
         BzImageBuilder.make { $0.preferredAddress = .max - 0x1FF; $0.isRelocatable = 0 }),
        Sample("a header past its space", BzImageBuilder.make { $0.jump = 0xFF }),
    ])
    func invalid(sample: Sample) {
        #expect(planError(sample.bytes)?.isInvalidHeader == true)
    }

    @Test("code that the file does not hold is refused", arguments: [
        Sample("one unit less", BzImageBuilder.make { $0.codeCount = 1008 }),
        Sample("no code", BzImageBuilder.make { $0.codeCount = 0 }),
        Sample("the largest syssize", BzImageBuilder.make { $0.systemSize = .max; $0.codeCount = 100 }),
        Sample("a syssize of 2 GiB", BzImageBuilder.make { $0.systemSize = 0x800_0000; $0.codeCount = 100 }),
    ])
    func truncatedCode(sample: Sample) {
        #expect(planError(sample.bytes)?.isTruncated == true)
    }

    @Test("a file cut anywhere is refused or complete, never a crash")
    func truncation() throws {
        let whole = BzImageBuilder().bytes
        for count in stride(from: 0, to: whole.count - 16, by: 7) {
            #expect(planError(Array(whole.prefix(count))) != nil, "cut after \(count) bytes")
        }
        for count in 0x1F0..<0x280 { #expect(planError(Array(whole.prefix(count))) != nil, "cut after \(count) bytes") }
    }

    @Test("a kernel that unpacks beyond the guest's memory is refused before anything is loaded")
    func initSize() throws {
        let plan = try plan(BzImageBuilder.make { $0.initSize = 0xFFFF_0000 })
        #expect(throws: BootError.needsMoreMemory(needed: 0x1_00FF_0000, available: 128 << 20)) {
            try BootLoader(layout: layout(128 << 20), plan: plan, initrdSize: nil, commandLine: "")
        }
    }

    @Test("a bzImage has no PVH entry, and says so")
    func pvh() {
        #expect(planError(BzImageBuilder().bytes, .pvh)?.isInvalidHeader == true)
        #expect(planError(BzImageBuilder().bytes, .linux) == nil)
    }
}
