import GuestMemory

extension KernelPlan {
    /// Plans a bzImage: its protected-mode code goes, as it is, where the header asks for; it unpacks itself.
    ///
    /// - Parameters:
    ///   - prefix: the file's first bytes, at least the setup header.
    ///   - fileSize: the file's size.
    init(bzImage prefix: ByteReader, fileSize: UInt64) throws(BootError) {
        let header = try SetupHeader(prefix)
        guard header.version >= 0x0206 else {
            throw .invalidHeader("boot protocol \(header.version >> 8).\(header.version & 0xFF), expected 2.06 (Linux 2.6.22) or newer")
        }
        guard header.loadFlags & SetupHeader.loadedHigh != 0 else {
            throw .invalidHeader("a zImage, which loads below 1 MiB; build a bzImage")
        }
        let start = UInt64(header.setupSectors + 1) * 512
        let codeSize = UInt64(header.systemSize) * 16
        guard codeSize > 0 else { throw .invalidHeader("syssize is 0") }
        // The last 16-byte unit may be cut short: the build does not pad all images.
        guard start + codeSize - 15 <= fileSize else {
            throw .truncated(what: "the kernel's code", end: start + codeSize, fileSize: fileSize)
        }
        let count = min(codeSize, fileSize - start)
        let address = try Self.loadAddress(header)
        // Before 2.10 there is no init_size; three times the image is what old boot loaders leave.
        let needed = header.version >= 0x020A ? max(UInt64(header.initSize), count) : 3 * count
        let is64Bit = header.extendedLoadFlags & SetupHeader.kernel64 != 0
        self.init(
            format: .bzImage,
            isLinux: true,
            segments: [Segment(fileOffset: start, fileCount: count, address: address, memoryCount: needed)],
            // The 64-bit entry is 0x200 past the start of the code.
            entry: is64Bit ? Entry(kind: .linux64, address: address + 0x200) : Entry(kind: .linux32, address: address),
            setupHeader: header,
            initrdAddressMaximum: GuestAddress(header.initrdAddressMaximum),
            commandLineLimit: Int(header.commandLineSize)
        )
    }

    private static func loadAddress(_ header: SetupHeader) throws(BootError) -> GuestAddress {
        // A kernel that cannot be moved, or does not say where it would like to be, is loaded at 1 MiB.
        let wanted = header.version >= 0x020A && header.preferredAddress != 0 ? header.preferredAddress : 0x10_0000
        guard wanted >= LowMemory.end else {
            throw .invalidHeader("pref_address \(hexadecimal(wanted)) is below 1 MiB")
        }
        // Above 3 GiB there is no RAM to load to, and near 2^64 the sums of those who use the address would overflow.
        guard wanted < RAMLayout.holeStart else {
            throw .invalidHeader("pref_address \(hexadecimal(wanted)) is above 3 GiB")
        }
        guard header.isRelocatable else { return wanted }
        let alignment = UInt64(header.kernelAlignment)
        guard alignment > 0, alignment & (alignment - 1) == 0 else {
            throw .invalidHeader("kernel_alignment \(hexadecimal(alignment)) is not a power of two")
        }
        guard let address = wanted.aligned(to: alignment), address < RAMLayout.holeStart else {
            throw .invalidHeader("pref_address \(hexadecimal(wanted)) is above 3 GiB")
        }
        return address
    }
}
