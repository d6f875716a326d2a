import GuestMemory

/// Where the boot code's structures lie in the first megabyte of guest memory.
enum LowMemory {
    static let globalDescriptorTable: GuestAddress = 0x500
    static let pvhStartInfo: GuestAddress = 0x6000
    static let pvhModuleList: GuestAddress = 0x6100
    static let pvhMemoryMap: GuestAddress = 0x6200
    static let zeroPage: GuestAddress = 0x7000
    static let randomSeed: GuestAddress = 0x8000
    /// Six pages: one PML4, one PDPT, four page directories.
    static let pageTables: GuestAddress = 0x9000
    static let commandLine: GuestAddress = 0x2_0000
    /// Room for the command line and its terminating zero.
    static let commandLineRoom = 0x1_0000
    /// The extended BIOS data area, where conventional memory ends.
    static let extendedBIOSData: GuestAddress = 0x9_FC00
    static let video: GuestAddress = 0xA_0000
    /// Where firmware tables live.
    static let firmware: GuestAddress = 0xE_0000
    /// Kernels and initrds lie at or above this address: 1 MiB.
    static let end: GuestAddress = 0x10_0000
}
