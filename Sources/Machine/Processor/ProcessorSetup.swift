import Boot
import CLinux
import KVM

extension VirtualProcessor {
    /// Gives the vCPU its identity and, the boot processor, its first instruction. The others wait for INIT and SIPI, which
    /// KVM's local APIC handles.
    func prepare(_ topology: ProcessorTopology, entry: EntryState?) throws(KVMError) {
        try setCPUID(topology.entries(id: id))
        try connectLocalInterrupts()
        try setModelSpecificRegisters([
            (0x1A0, 1),  // IA32_MISC_ENABLE: fast strings
            (0x2FF, 0x806),  // IA32_MTRR_DEF_TYPE: MTRRs on, write-back by default
        ])
        guard let entry else { return }
        try resetFloatingPoint()
        try updateSpecialRegisters { Self.set(&$0, entry) }
        try updateRegisters { registers in
            registers = kvm_regs()
            registers.rflags = 2  // the bit that is always set
            registers.rip = entry.instructionPointer
            registers.rsi = entry.sourceIndex
            registers.rbx = entry.base
        }
    }

    private static func set(_ registers: inout kvm_sregs, _ entry: EntryState) {
        let isLong = entry.mode == .long
        registers.gdt.base = entry.globalDescriptorTable
        registers.gdt.limit = UInt16(entry.globalDescriptorTableCount - 1)
        registers.idt.base = 0
        registers.idt.limit = 0
        registers.cs = segment(selector: 0x10, type: 0xB, isCode: true, isLong: isLong)
        let data = segment(selector: 0x18, type: 0x3, isCode: false, isLong: isLong)
        registers.ds = data
        registers.es = data
        registers.fs = data
        registers.gs = data
        registers.ss = data
        registers.tr = segment(selector: 0x20, type: 0xB, isCode: false, isLong: isLong)
        registers.tr.limit = 0x67
        registers.tr.s = 0
        registers.tr.g = 0
        registers.tr.db = 0
        let protection: UInt64 = 0x11  // PE, ET
        registers.cr0 = isLong ? protection | 1 << 31 : protection  // PG
        registers.cr3 = isLong ? entry.pageTables : 0
        registers.cr4 = isLong ? 1 << 5 : 0  // PAE
        registers.efer = isLong ? 0x500 : 0  // LME, LMA
    }

    private static func segment(selector: UInt16, type: UInt8, isCode: Bool, isLong: Bool) -> kvm_segment {
        var segment = kvm_segment()
        segment.selector = selector
        segment.limit = 0xFFFF_FFFF
        segment.type = type
        segment.present = 1
        segment.s = 1
        segment.g = 1
        segment.l = isCode && isLong ? 1 : 0
        segment.db = isCode && isLong ? 0 : 1
        return segment
    }
}
