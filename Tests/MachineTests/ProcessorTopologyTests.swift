import KVM
@testable import Machine
import Testing

@Suite("Processor topology")
struct ProcessorTopologyTests {
    /// How many CPUs, and the bits that tell their APIC ids apart.
    private static let counts: [(Int, UInt32)] = [(1, 0), (2, 1), (3, 2), (4, 2), (5, 3), (64, 6)]

    private static let supported: [CPUIDEntry] = [
        CPUIDEntry(function: 0, eax: 0x1F, ebx: 1, ecx: 2, edx: 3),
        CPUIDEntry(function: 1, eax: 0x0080_0F12, ebx: 0xFFFF_0800, ecx: 0x0120_0001, edx: 0x1789_FBFF),
        CPUIDEntry(function: 4, index: 0, indexIsSignificant: true, eax: 0xFFFF_C121),  // L1 data
        CPUIDEntry(function: 4, index: 3, indexIsSignificant: true, eax: 0x0000_0163),  // L3
        CPUIDEntry(function: 4, index: 4, indexIsSignificant: true),
        CPUIDEntry(function: 0xB, index: 0, indexIsSignificant: true, eax: 9, ebx: 9, ecx: 9, edx: 9),
        CPUIDEntry(function: 0x1F, index: 0, indexIsSignificant: true, eax: 9, ebx: 9, ecx: 9, edx: 9),
        CPUIDEntry(function: 0x8000_0001, ecx: 0x0000_0002),
        CPUIDEntry(function: 0x8000_0008, eax: 0x3028, ecx: 0x0000_F0FF),
        CPUIDEntry(function: 0x8000_001D, index: 3, indexIsSignificant: true, eax: 0xFFFF_C163),
        CPUIDEntry(function: 0x8000_001E, eax: 7, ebx: 0x107, ecx: 0x100),
    ]

    private func table(_ count: Int, id: Int, deadline: Bool = true) -> [CPUIDEntry] {
        ProcessorTopology(supported: Self.supported, count: count, hasDeadlineTimer: deadline).entries(id: id)
    }

    private func leaf(
        _ function: UInt32, _ index: UInt32 = 0, count: Int, id: Int, deadline: Bool = true
    ) throws -> CPUIDEntry {
        let matches = table(count, id: id, deadline: deadline).filter { $0.function == function && $0.index == index }
        #expect(matches.count == 1)
        return try #require(matches.first)
    }

    /// The first and the last of so many CPUs.
    private func ends(_ count: Int) -> [Int] { count == 1 ? [0] : [0, count - 1] }

    @Test("leaf 1 gives the APIC id and the ids of the package", arguments: counts)
    func leaf1(count: Int, bits: UInt32) throws {
        for id in ends(count) {
            let entry = try leaf(1, count: count, id: id)
            #expect(entry.ebx == UInt32(id) << 24 | (1 << bits) << 16 | 0x0800)
            #expect(entry.edx >> 28 & 1 == (count > 1 ? 1 : 0))
            #expect(entry.edx & ~(1 << 28) == 0x1789_FBFF & ~(1 << 28))
            #expect(entry.ecx >> 31 == 1, "the guest is told that it is one")
            #expect(entry.eax == 0x0080_0F12)
        }
    }

    @Test("the deadline timer shows where KVM offers it, whatever its table says", arguments: [true, false])
    func deadlineTimer(isOffered: Bool) throws {
        #expect(try leaf(1, count: 1, id: 0, deadline: isOffered).ecx >> 24 & 1 == (isOffered ? 1 : 0))
    }

    @Test("leaf 4: each core has its own first cache, all share the third", arguments: counts)
    func leaf4(count: Int, bits: UInt32) throws {
        let cores: UInt32 = ((1 << bits) - 1) << 26
        #expect(try leaf(4, 0, count: count, id: 0).eax == 0x0121 | cores)
        #expect(try leaf(4, 3, count: count, id: 0).eax == 0x0163 | cores | ((1 << bits) - 1) << 14)
        #expect(try leaf(4, 4, count: count, id: 0).eax == 0)
        #expect(try leaf(0x8000_001D, 3, count: count, id: 0).eax == 0x0163 | ((1 << bits) - 1) << 14)
    }

    @Test("leaf 0BH: threads, cores, the end; the id everywhere", arguments: counts)
    func leafB(count: Int, bits: UInt32) throws {
        for id in ends(count) {
            let levels: [(UInt32, UInt32, UInt32)] = [(0, 1, 1), (bits, UInt32(count), 2), (0, 0, 0)]
            for (index, expected) in levels.enumerated() {
                let entry = try leaf(0xB, UInt32(index), count: count, id: id)
                #expect(entry.indexIsSignificant)
                #expect((entry.eax, entry.ebx, entry.ecx >> 8) == expected)
                #expect(entry.ecx & 0xFF == UInt32(index) && entry.edx == UInt32(id))
            }
            #expect(!table(count, id: id).contains { $0.function == 0x1F })
        }
    }

    @Test("leaf 0BH is left out where leaves do not go that far")
    func shortTable() {
        let topology = ProcessorTopology(supported: [CPUIDEntry(function: 0, eax: 4)], count: 2,
            hasDeadlineTimer: false)
        #expect(topology.entries(id: 1) == [CPUIDEntry(function: 0, eax: 4)])
        #expect(ProcessorTopology(supported: [], count: 64, hasDeadlineTimer: true).entries(id: 63).isEmpty)
    }

    @Test("AMD's leaves: number of cores, size of their ids, one thread in each core", arguments: counts)
    func amd(count: Int, bits: UInt32) throws {
        for id in ends(count) {
            let size = try leaf(0x8000_0008, count: count, id: id)
            #expect(size.ecx & 0xFF == UInt32(count - 1))
            #expect(size.ecx >> 12 & 0xF == bits)
            #expect(size.eax == 0x3028)
            let entry = try leaf(0x8000_001E, count: count, id: id)
            #expect(entry.eax == UInt32(id))
            #expect(entry.ebx == UInt32(id), "the core's id, and one thread")
            #expect(entry.ecx & 0xFF == 0)
            #expect(try leaf(0x8000_0001, count: count, id: id).ecx == (count > 1 ? 2 : 0))
        }
    }
}
