import GuestMemory

/// struct hvm_start_info, version 1 (Xen's public header arch-x86/hvm/start_info.h): what a PVH kernel is told.
struct PVHStartInfo {
    var commandLine: GuestAddress
    var rsdp: GuestAddress
    var initrd: (address: GuestAddress, count: UInt64)?
    var memoryMap: [MemoryMapEntry]

    private static let magic: UInt32 = 0x336E_C578
    private static let version: UInt32 = 1

    /// Writes it and the lists that it points to.
    func write(to memory: GuestMemory) throws(GuestMemoryError) {
        let start = LowMemory.pvhStartInfo
        try memory.write(Self.magic, at: start)
        try memory.write(Self.version, at: start + 4)
        try memory.write(UInt32(initrd == nil ? 0 : 1), at: start + 12)
        try memory.write(initrd == nil ? 0 : LowMemory.pvhModuleList, at: start + 16)
        try memory.write(commandLine, at: start + 24)
        try memory.write(rsdp, at: start + 32)
        try memory.write(LowMemory.pvhMemoryMap, at: start + 40)
        try memory.write(UInt32(memoryMap.count), at: start + 48)
        if let initrd {
            try memory.write(initrd.address, at: LowMemory.pvhModuleList)
            try memory.write(initrd.count, at: LowMemory.pvhModuleList + 8)
        }
        for (index, entry) in memoryMap.enumerated() {
            let address = LowMemory.pvhMemoryMap + UInt64(24 * index)
            try memory.write(entry.start, at: address)
            try memory.write(entry.count, at: address + 8)
            try memory.write(entry.kind.rawValue, at: address + 16)
        }
    }
}
