import CLinux
import LinuxSystem

/// One line of the CPUID table: struct kvm_cpuid_entry2.
public struct CPUIDEntry: Equatable, Sendable {
    public var function: UInt32
    public var index: UInt32
    /// Whether `index` (ECX on entry) takes part in the look-up.
    public var indexIsSignificant: Bool
    public var eax: UInt32
    public var ebx: UInt32
    public var ecx: UInt32
    public var edx: UInt32

    public init(function: UInt32, index: UInt32 = 0, indexIsSignificant: Bool = false,
                eax: UInt32 = 0, ebx: UInt32 = 0, ecx: UInt32 = 0, edx: UInt32 = 0) {
        self.function = function
        self.index = index
        self.indexIsSignificant = indexIsSignificant
        self.eax = eax
        self.ebx = ebx
        self.ecx = ecx
        self.edx = edx
    }

    private static let significantIndex: UInt32 = 1  // KVM_CPUID_FLAG_SIGNIFCANT_INDEX

    init(_ entry: kvm_cpuid_entry2) {
        self.init(function: entry.function, index: entry.index,
                  indexIsSignificant: entry.flags & Self.significantIndex != 0,
                  eax: entry.eax, ebx: entry.ebx, ecx: entry.ecx, edx: entry.edx)
    }

    /// The entries that an ioctl gives.
    static func table(_ name: String, _ descriptor: borrowing FileDescriptor, _ request: UInt) throws(KVMError) -> [CPUIDEntry] {
        let table = UnsafeMutablePointer<svmm_cpuid>.allocate(capacity: 1)
        defer { table.deallocate() }
        table.pointee.nent = UInt32(SVMM_CPUID_CAPACITY)
        let raw = descriptor.raw
        _ = try kvmCall(name) { svmm_ioctl_pointer(raw, request, table) }
        let entries = svmm_cpuid_entries(table)!
        return (0..<min(Int(table.pointee.nent), Int(SVMM_CPUID_CAPACITY))).map { CPUIDEntry(entries[$0]) }
    }

    var raw: kvm_cpuid_entry2 {
        var entry = kvm_cpuid_entry2()
        entry.function = function
        entry.index = index
        entry.flags = indexIsSignificant ? Self.significantIndex : 0
        entry.eax = eax
        entry.ebx = ebx
        entry.ecx = ecx
        entry.edx = edx
        return entry
    }
}
