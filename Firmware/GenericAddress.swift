/// A Generic Address Structure: where a register is and how wide (ACPI 6.5, section 5.2.3.2).
///
/// Only System I/O space is used here. `absent` is what a table holds for a register the platform does not have.
struct GenericAddress {
    enum AccessSize: UInt8 {
        case byte = 1
        case word = 2
    }

    static let absent: [UInt8] = Array(repeating: 0, count: 12)

    /// A register or block of `length` bytes at `port`.
    static func systemIO(_ port: UInt16, length: UInt8, access: AccessSize) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(1)  // Address Space ID: System I/O
        bytes.append(length * 8)  // Register Bit Width
        bytes.append(0)  // Register Bit Offset
        bytes.append(access.rawValue)
        bytes.append(littleEndian: UInt64(port))
        return bytes
    }
}
