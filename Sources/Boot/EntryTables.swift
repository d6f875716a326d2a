import GuestMemory

/// The descriptor and page tables that a 64-bit entry is made with, all in low memory.
enum EntryTables {
    /// Flat segments as the Linux boot protocol asks for: code 0x10, data 0x18; then a TSS at 0x20.
    static func globalDescriptorTable(_ mode: EntryState.Mode) -> [UInt64] {
        [
            0, 0,
            mode == .long ? 0x00AF_9B00_0000_FFFF : 0x00CF_9B00_0000_FFFF,  // code, of 64 or 32 bits
            0x00CF_9300_0000_FFFF,  // data
            0x008F_8B00_0000_FFFF,  // busy TSS
        ]
    }

    /// Identity-maps the first 4 GiB with 2 MiB pages and writes the descriptors.
    static func write(to memory: GuestMemory, mode: EntryState.Mode) throws(GuestMemoryError) {
        for (index, descriptor) in globalDescriptorTable(mode).enumerated() {
            try memory.write(descriptor, at: LowMemory.globalDescriptorTable + UInt64(8 * index))
        }
        let present: UInt64 = 0x3  // present, writable
        let large: UInt64 = 0x80
        let directories: UInt64 = 4
        let pointers = LowMemory.pageTables + 0x1000
        let firstDirectory = LowMemory.pageTables + 0x2000
        try memory.write(pointers | present, at: LowMemory.pageTables)
        for directory in 0..<directories {
            let address = firstDirectory + directory * 0x1000
            try memory.write(address | present, at: pointers + 8 * directory)
            let page = try memory.slice(at: address, count: 4096)
            for entry in 0..<512 {
                page.store((directory * 512 + UInt64(entry)) << 21 | present | large, at: 8 * entry)
            }
        }
    }
}
