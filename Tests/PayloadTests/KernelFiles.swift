import TestSupport

/// Kernels made here, complete as far as a loader looks at them.
enum KernelFiles {
    /// An ELF executable of one segment at 2 MiB without notes.
    static func elf() -> [UInt8] {
        var file = [UInt8](repeating: 0xF4, count: 4096)  // hlt
        file.replaceSubrange(0..<128, with: [UInt8](repeating: 0, count: 128))
        file.replaceSubrange(0..<7, with: [0x7F, 0x45, 0x4C, 0x46, 2, 1, 1])
        file.put(UInt16(2), at: 16)  // ET_EXEC
        file.put(UInt16(62), at: 18)  // EM_X86_64
        file.put(UInt32(1), at: 20)
        file.put(UInt64(0x20_0080), at: 24)  // e_entry
        file.put(UInt64(64), at: 32)  // e_phoff
        file.put(UInt16(64), at: 52)
        file.put(UInt16(56), at: 54)  // e_phentsize
        file.put(UInt16(1), at: 56)  // e_phnum
        file.put(UInt32(1), at: 64)  // PT_LOAD
        file.put(UInt32(7), at: 68)
        file.put(UInt64(0), at: 72)  // p_offset
        file.put(UInt64(0x20_0000), at: 80)
        file.put(UInt64(0x20_0000), at: 88)  // p_paddr
        file.put(UInt64(4096), at: 96)  // p_filesz
        file.put(UInt64(4096), at: 104)  // p_memsz
        return file
    }

    /// A bzImage with four setup sectors and 8 KiB of code.
    static func bzImage() -> [UInt8] {
        var file = [UInt8](repeating: 0, count: 5 * 512 + 8192)
        file[0x1F1] = 4  // setup_sects
        file.put(UInt32(8192 / 16), at: 0x1F4)  // syssize
        file.put(UInt16(0xAA55), at: 0x1FE)
        file[0x200] = 0xEB
        file[0x201] = 0x66  // the header ends at 0x268
        file.put(UInt32(0x5372_6448), at: 0x202)  // HdrS
        file.put(UInt16(0x020F), at: 0x206)
        file[0x211] = 1  // LOADED_HIGH
        file.put(UInt32(0x7FFF_FFFF), at: 0x22C)  // initrd_addr_max
        file.put(UInt32(0x20_0000), at: 0x230)  // kernel_alignment
        file[0x234] = 1  // relocatable_kernel
        file.put(UInt16(1), at: 0x236)  // XLF_KERNEL_64
        file.put(UInt32(2047), at: 0x238)  // cmdline_size
        file.put(UInt64(0x100_0000), at: 0x258)  // pref_address
        file.put(UInt32(1 << 20), at: 0x260)  // init_size
        return file
    }
}
