import GuestMemory

/// The zero page, struct boot_params (Documentation/x86/zero-page.rst): what a Linux kernel is told at its entry.
struct ZeroPage {
    private(set) var bytes = [UInt8](repeating: 0, count: 4096)

    private enum Offset {
        static let acpiRSDP = 0x070
        static let e820Count = 0x1E8
        static let bootFlag = 0x1FE
        static let headerMagic = 0x202
        static let typeOfLoader = 0x210
        static let ramdiskImage = 0x218
        static let ramdiskSize = 0x21C
        static let commandLinePointer = 0x228
        static let kernelAlignment = 0x230
        static let commandLineSize = 0x238
        static let setupData = 0x250
        static let e820Table = 0x2D0
    }

    /// E820_MAX_ENTRIES_ZEROPAGE
    private static let e820Limit = 128
    /// "Undefined loader": svmm has no number of its own.
    private static let loaderType: UInt8 = 0xFF

    init(header: SetupHeader?) {
        if let header {
            bytes.replaceSubrange(SetupHeader.offset..<(SetupHeader.offset + header.bytes.count), with: header.bytes)
        } else {
            // A vmlinux brings no header; the kernel looks at these fields.
            put(UInt16(0xAA55), at: Offset.bootFlag)
            put(UInt32(0x5372_6448), at: Offset.headerMagic)
            put(UInt32(0x100_0000), at: Offset.kernelAlignment)
        }
        put(Self.loaderType, at: Offset.typeOfLoader)
    }

    mutating func setCommandLine(address: GuestAddress, count: Int, isHeaderMissing: Bool) {
        put(UInt32(address), at: Offset.commandLinePointer)
        if isHeaderMissing { put(UInt32(count), at: Offset.commandLineSize) }
    }

    mutating func setInitrd(address: GuestAddress, count: UInt64) {
        put(UInt32(address), at: Offset.ramdiskImage)
        put(UInt32(count), at: Offset.ramdiskSize)
    }

    mutating func setRSDP(_ address: GuestAddress) {
        put(address, at: Offset.acpiRSDP)
    }

    mutating func setSetupData(_ address: GuestAddress) {
        put(address, at: Offset.setupData)
    }

    mutating func setMemoryMap(_ map: [MemoryMapEntry]) {
        let entries = map.prefix(Self.e820Limit)
        put(UInt8(entries.count), at: Offset.e820Count)
        for (index, entry) in entries.enumerated() {
            let offset = Offset.e820Table + 20 * index
            put(entry.start, at: offset)
            put(entry.count, at: offset + 8)
            put(entry.kind.rawValue, at: offset + 16)
        }
    }

    private mutating func put<Value: FixedWidthInteger>(_ value: Value, at offset: Int) {
        for index in 0..<(Value.bitWidth / 8) {
            bytes[offset + index] = UInt8(truncatingIfNeeded: value >> Value(8 * index))
        }
    }
}
