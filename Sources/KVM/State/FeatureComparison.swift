/// What of a saved processor's features another one does not have.
public enum FeatureComparison {
    private struct Leaf {
        let function: UInt32
        let index: UInt32
        let register: KeyPath<CPUIDEntry, UInt32> & Sendable
        let name: String
        /// Bits that are no features of the processor: they change while it runs, or say what the machine is like.
        let ignored: UInt32
    }

    // Intel SDM 2A, CPUID, tables 3-8 and 3-17; AMD APM 3, appendix E.4.
    private static let leaves: [Leaf] = [
        // OSXSAVE follows CR4.
        Leaf(function: 1, index: 0, register: \.ecx, name: "CPUID 1 ECX", ignored: 1 << 27),
        Leaf(function: 1, index: 0, register: \.edx, name: "CPUID 1 EDX", ignored: 0),
        Leaf(function: 7, index: 0, register: \.ebx, name: "CPUID 7 EBX", ignored: 0),
        // OSPKE follows CR4.
        Leaf(function: 7, index: 0, register: \.ecx, name: "CPUID 7 ECX", ignored: 1 << 4),
        Leaf(function: 7, index: 0, register: \.edx, name: "CPUID 7 EDX", ignored: 0),
        Leaf(function: 7, index: 1, register: \.eax, name: "CPUID 7.1 EAX", ignored: 0),
        Leaf(function: 0xD, index: 0, register: \.eax, name: "CPUID 13 EAX", ignored: 0),
        Leaf(function: 0xD, index: 1, register: \.eax, name: "CPUID 13.1 EAX", ignored: 0),
        Leaf(function: 0x8000_0001, index: 0, register: \.ecx, name: "CPUID 80000001 ECX", ignored: 0),
        Leaf(function: 0x8000_0001, index: 0, register: \.edx, name: "CPUID 80000001 EDX", ignored: 0),
        Leaf(function: 0x8000_0007, index: 0, register: \.edx, name: "CPUID 80000007 EDX", ignored: 0),
        Leaf(function: 0x8000_0008, index: 0, register: \.ebx, name: "CPUID 80000008 EBX", ignored: 0),
        Leaf(function: 0x4000_0001, index: 0, register: \.eax, name: "CPUID 40000001 EAX (KVM)", ignored: 0),
    ]

    /// Those whose names people know, by leaf, register and bit.
    private static let names: [String: String] = [
        "CPUID 1 ECX bit 0": "sse3", "CPUID 1 ECX bit 9": "ssse3", "CPUID 1 ECX bit 12": "fma", "CPUID 1 ECX bit 19": "sse4_1",
        "CPUID 1 ECX bit 20": "sse4_2", "CPUID 1 ECX bit 21": "x2apic", "CPUID 1 ECX bit 23": "popcnt",
        "CPUID 1 ECX bit 24": "tsc_deadline_timer", "CPUID 1 ECX bit 25": "aes", "CPUID 1 ECX bit 26": "xsave",
        "CPUID 1 ECX bit 28": "avx", "CPUID 1 ECX bit 30": "rdrand", "CPUID 7 EBX bit 3": "bmi1", "CPUID 7 EBX bit 5": "avx2",
        "CPUID 7 EBX bit 8": "bmi2", "CPUID 7 EBX bit 9": "erms", "CPUID 7 EBX bit 16": "avx512f", "CPUID 7 EBX bit 18": "rdseed",
        "CPUID 7 EBX bit 20": "smap", "CPUID 7 ECX bit 3": "pku", "CPUID 7 EDX bit 4": "fsrm",
    ]

    /// Each feature of `saved` that `here` lacks, by its name or its place; none when whatever a guest saw is here, too.
    public static func missing(_ saved: [CPUIDEntry], here: [CPUIDEntry]) -> [String] {
        var found: [String] = []
        for leaf in leaves {
            func bits(_ table: [CPUIDEntry]) -> UInt32 {
                let entry = table.first { $0.function == leaf.function && (!$0.indexIsSignificant || $0.index == leaf.index) }
                return entry?[keyPath: leaf.register] ?? 0
            }
            let lacking = bits(saved) & ~bits(here) & ~leaf.ignored
            for bit in 0..<32 where lacking >> UInt32(bit) & 1 == 1 {
                let place = "\(leaf.name) bit \(bit)"
                found.append(names[place] ?? place)
            }
        }
        return found
    }

    /// The maker's name in leaf 0, as GenuineIntel: guests choose their workarounds by it.
    public static func vendor(_ table: [CPUIDEntry]) -> String {
        guard let entry = table.first(where: { $0.function == 0 }) else { return "" }
        let bytes = [entry.ebx, entry.edx, entry.ecx].flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> UInt32(8 * $0)) } }
        return String(decoding: bytes.filter { (0x20..<0x7F).contains($0) }, as: UTF8.self)
    }
}
