import KVM

/// What each vCPU's CPUID says: what KVM supports here, with one package of single-threaded cores.
struct ProcessorTopology {
    let supported: [CPUIDEntry]
    let count: Int
    let hasDeadlineTimer: Bool

    /// Bits of the APIC id that tell cores apart.
    private var coreBits: UInt32 { UInt32(Int.bitWidth - (count - 1).leadingZeroBitCount) }

    /// The table of the vCPU whose APIC id is `id`.
    func entries(id: Int) -> [CPUIDEntry] {
        let id = UInt32(id)
        var entries = supported.filter { $0.function != 0xB && $0.function != 0x1F }.map { adjust($0, id) }
        // Extended topology (Intel SDM 2A, CPUID leaf 0BH), where leaves go that far.
        if let last = supported.first(where: { $0.function == 0 })?.eax, last >= 0xB {
            entries += extendedTopology(id)
        }
        return entries
    }

    private func adjust(_ entry: CPUIDEntry, _ id: UInt32) -> CPUIDEntry {
        var entry = entry
        let cores = UInt32(count)
        switch entry.function {
        case 1:
            // Initial APIC id, ids reserved for the package, CLFLUSH line size as it was.
            entry.ebx = entry.ebx & 0xFFFF | (1 << coreBits) << 16 | id << 24
            entry.ecx |= Feature.hypervisor
            if hasDeadlineTimer { entry.ecx |= Feature.deadlineTimer } else { entry.ecx &= ~Feature.deadlineTimer }
            if count > 1 { entry.edx |= Feature.multipleLogical } else { entry.edx &= ~Feature.multipleLogical }
        case 4 where entry.eax & 0x1F != 0:
            // Cores of the package; who shares the cache: all cores the third level, nobody the others.
            entry.eax = entry.eax & 0x3FFF | sharing(level: (entry.eax >> 5) & 7) << 14 | ((1 << coreBits) - 1) << 26
        case 0x8000_0001:
            if count > 1 { entry.ecx |= Feature.coreLegacy } else { entry.ecx &= ~Feature.coreLegacy }
        case 0x8000_0008:
            entry.ecx = entry.ecx & 0xFFFF_0F00 | coreBits << 12 | (cores - 1)
        case 0x8000_001D where entry.eax & 0x1F != 0:
            entry.eax = entry.eax & 0x3FFF | sharing(level: (entry.eax >> 5) & 7) << 14
        case 0x8000_001E:
            // APIC id; one thread in each core; one node.
            entry.eax = id
            entry.ebx = id & 0xFF
            entry.ecx = 0
        default: break
        }
        return entry
    }

    /// One less than the number of APIC ids that share a cache of this level.
    private func sharing(level: UInt32) -> UInt32 {
        level >= 3 ? (1 << coreBits) - 1 : 0
    }

    private func extendedTopology(_ id: UInt32) -> [CPUIDEntry] {
        func level(_ index: UInt32, shift: UInt32, processors: UInt32, type: UInt32) -> CPUIDEntry {
            CPUIDEntry(function: 0xB, index: index, indexIsSignificant: true, eax: shift, ebx: processors,
                       ecx: type << 8 | index, edx: id)
        }
        return [
            level(0, shift: 0, processors: 1, type: 1),  // threads of a core
            level(1, shift: coreBits, processors: UInt32(count), type: 2),  // cores of the package
            level(2, shift: 0, processors: 0, type: 0),  // the end
        ]
    }

    private enum Feature {
        static let hypervisor: UInt32 = 1 << 31  // leaf 1, ECX
        static let deadlineTimer: UInt32 = 1 << 24  // leaf 1, ECX
        static let multipleLogical: UInt32 = 1 << 28  // leaf 1, EDX: HTT
        static let coreLegacy: UInt32 = 1 << 1  // leaf 8000_0001H, ECX: CmpLegacy
    }
}
