import GuestMemory

/// What loading a kernel comes to: which parts of its file go where, and how it is entered. Made by pure functions over the
/// file's bytes; nothing in it points outside the file.
public struct KernelPlan: Equatable, Sendable {
    public struct Segment: Equatable, Sendable {
        public var fileOffset: UInt64
        public var fileCount: UInt64
        public var address: GuestAddress
        /// Bytes of RAM from `address` on that the segment occupies; what the file does not fill is zero.
        public var memoryCount: UInt64
    }

    public enum Format: String, Sendable {
        case bzImage, elf = "ELF"
    }

    public var format: Format
    /// Whether it is certainly a Linux kernel.
    public var isLinux: Bool
    public var segments: [Segment]
    public var entry: Entry
    /// The setup header to start the zero page from; nil for ELF kernels, which have none.
    public var setupHeader: SetupHeader?
    /// The highest address that a byte of the initrd may have.
    public var initrdAddressMaximum: GuestAddress
    /// The longest command line in bytes, without the terminating zero.
    public var commandLineLimit: Int

    /// The first and the one past the last byte of RAM that the kernel occupies until it manages memory itself.
    public var extent: Range<GuestAddress> {
        let start = segments.map(\.address).min() ?? 0
        let end = segments.map { $0.address + $0.memoryCount }.max() ?? 0
        return start..<max(start, end)
    }
}

/// How a kernel is entered.
public struct Entry: Equatable, Sendable {
    public enum Kind: String, Sendable {
        /// 64-bit mode, RSI = zero page (Documentation/x86/boot.rst, "64-bit Boot Protocol").
        case linux64 = "Linux 64-bit"
        /// 32-bit protected mode, ESI = zero page (the same, "32-bit Boot Protocol").
        case linux32 = "Linux 32-bit"
        /// 32-bit protected mode, EBX = struct hvm_start_info (Xen's PVH).
        case pvh = "PVH"
    }

    public var kind: Kind
    public var address: GuestAddress
}

/// Which entry to use where a kernel has more than one.
public enum EntryChoice: UInt8, Sendable {
    /// Linux's own protocol for Linux kernels, PVH for other kernels that carry its note.
    case automatic, linux, pvh
}
