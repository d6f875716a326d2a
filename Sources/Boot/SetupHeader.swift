import GuestMemory

/// The setup header of a bzImage (Documentation/x86/boot.rst, "The Real-Mode Kernel Header"), as found in the file.
public struct SetupHeader: Equatable, Sendable {
    /// Where it begins, in the file and in the zero page.
    static let offset = 0x1F1
    private static let magic: UInt32 = 0x5372_6448  // "HdrS"
    private static let bootFlag: UInt16 = 0xAA55

    /// The header's bytes from `offset` on, for the zero page.
    let bytes: [UInt8]
    public let setupSectors: Int
    /// Size of the protected-mode code in units of 16 bytes.
    public let systemSize: UInt32
    /// Boot protocol version, for example 0x020F.
    public let version: UInt16
    public let loadFlags: UInt8
    public let initrdAddressMaximum: UInt32
    public let kernelAlignment: UInt32
    public let isRelocatable: Bool
    public let extendedLoadFlags: UInt16
    public let commandLineSize: UInt32
    public let preferredAddress: UInt64
    public let initSize: UInt32

    static let loadedHigh: UInt8 = 1  // LOADED_HIGH
    static let kernel64: UInt16 = 1  // XLF_KERNEL_64

    /// Whether a file begins like a bzImage.
    static func isPresent(in reader: ByteReader) -> Bool {
        reader.field(UInt16.self, at: 0x1FE) == bootFlag && reader.field(UInt32.self, at: 0x202) == magic
    }

    /// Reads the header from the file's first bytes.
    init(_ reader: ByteReader) throws(BootError) {
        guard let version = reader.field(UInt16.self, at: 0x206), let jump = reader.field(UInt8.self, at: 0x201) else {
            throw .truncated(what: "the setup header", end: 0x202, fileSize: UInt64(reader.bytes.count))
        }
        // The second byte of the jump instruction at 0x200 says where the header ends.
        let end = 0x202 + Int(jump)
        guard end <= reader.bytes.count else {
            throw .truncated(what: "the setup header", end: UInt64(end), fileSize: UInt64(reader.bytes.count))
        }
        // Up to the edd_mbr_sig_buffer (0x290): what a longer jump would cover is not header.
        guard end <= 0x290 else { throw .invalidHeader("it claims to end at \(hexadecimal(UInt64(end))), past 0x290") }
        // A field that came with a later version reads as zero.
        func field<Value: FixedWidthInteger>(_ type: Value.Type, _ offset: Int, since minimum: UInt16) -> Value {
            version >= minimum ? reader.field(type, at: offset) ?? 0 : 0
        }
        self.version = version
        bytes = Array(reader.bytes[Self.offset..<end])
        let sectors = reader.field(UInt8.self, at: 0x1F1) ?? 0
        setupSectors = sectors == 0 ? 4 : Int(sectors)  // 0 means 4, for old kernels
        systemSize = reader.field(UInt32.self, at: 0x1F4) ?? 0
        loadFlags = field(UInt8.self, 0x211, since: 0x0200)
        initrdAddressMaximum = version >= 0x0203 ? field(UInt32.self, 0x22C, since: 0x0203) : 0x37FF_FFFF
        kernelAlignment = field(UInt32.self, 0x230, since: 0x0205)
        isRelocatable = field(UInt8.self, 0x234, since: 0x0205) != 0
        commandLineSize = version >= 0x0206 ? field(UInt32.self, 0x238, since: 0x0206) : 255
        preferredAddress = field(UInt64.self, 0x258, since: 0x020A)
        initSize = field(UInt32.self, 0x260, since: 0x020A)
        extendedLoadFlags = field(UInt16.self, 0x236, since: 0x020C)
    }
}
