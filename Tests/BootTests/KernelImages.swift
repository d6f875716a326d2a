import TestSupport
import Testing

/// A file with a name, so that a failed test does not print its bytes.
struct Sample: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let bytes: [UInt8]

    init(_ name: String, _ bytes: [UInt8]) {
        testDescription = name
        self.bytes = bytes
    }
}

/// Makes bzImages, field by field (Documentation/x86/boot.rst).
struct BzImageBuilder {
    var setupSectors: UInt8 = 2
    var systemSize: UInt32 = 64  // in units of 16 bytes
    var version: UInt16 = 0x020F
    var jump: UInt8 = 0x6A
    var loadFlags: UInt8 = 1
    var initrdAddressMaximum: UInt32 = 0x7FFF_FFFF
    var kernelAlignment: UInt32 = 0x20_0000
    var isRelocatable: UInt8 = 1
    var extendedLoadFlags: UInt16 = 3
    var commandLineSize: UInt32 = 2047
    var preferredAddress: UInt64 = 0x100_0000
    var initSize: UInt32 = 0x30_0000
    /// Bytes of code in the file; nil for as many as `systemSize` says.
    var codeCount: Int?

    var bytes: [UInt8] {
        let start = (Int(setupSectors == 0 ? 4 : setupSectors) + 1) * 512
        let count = codeCount ?? Int(systemSize) * 16
        var bytes = [UInt8](repeating: 0, count: start)
        bytes += (0..<max(count, 0)).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ 1) }
        bytes.put(setupSectors, at: 0x1F1)
        bytes.put(systemSize, at: 0x1F4)
        bytes.put(0xAA55 as UInt16, at: 0x1FE)
        bytes.put(0xEB as UInt8, at: 0x200)
        bytes.put(jump, at: 0x201)
        bytes.put(0x5372_6448 as UInt32, at: 0x202)
        bytes.put(version, at: 0x206)
        bytes.put(loadFlags, at: 0x211)
        bytes.put(initrdAddressMaximum, at: 0x22C)
        bytes.put(kernelAlignment, at: 0x230)
        bytes.put(isRelocatable, at: 0x234)
        bytes.put(extendedLoadFlags, at: 0x236)
        bytes.put(commandLineSize, at: 0x238)
        bytes.put(preferredAddress, at: 0x258)
        bytes.put(initSize, at: 0x260)
        return bytes
    }

    static func make(_ change: (inout BzImageBuilder) -> Void) -> [UInt8] {
        var builder = BzImageBuilder()
        change(&builder)
        return builder.bytes
    }
}

/// Makes ELF files (System V ABI, chapters 4 and 5).
struct ELFBuilder {
    struct Segment {
        var type: UInt32 = 1  // PT_LOAD
        var offset: UInt64?
        var address: UInt64 = 0x100_0000
        var bytes: [UInt8] = []
        var fileCount: UInt64?
        var memoryCount: UInt64?
    }

    var elfClass: UInt8 = 2
    var dataEncoding: UInt8 = 1
    var type: UInt16 = 2
    var machine: UInt16 = 62
    var entry: UInt64 = 0x100_0000
    var tableOffset: UInt64 = 64
    var entrySize: UInt16 = 56
    var count: UInt16?
    var segments: [Segment] = [Segment(bytes: [UInt8](repeating: 0x90, count: 256))]

    static func note(name: String = "Xen\0", type: UInt32 = 18, _ content: [UInt8], size: UInt32? = nil) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 12)
        bytes.put(UInt32(name.utf8.count), at: 0)
        bytes.put(size ?? UInt32(content.count), at: 4)
        bytes.put(type, at: 8)
        for part in [Array(name.utf8), content] {
            bytes += part + [UInt8](repeating: 0, count: (4 - part.count % 4) % 4)
        }
        return bytes
    }

    static let linuxNote = note(name: "Linux\0", type: 0, [1, 2, 3, 4])

    static func pvhNote(_ entry: UInt64, bytes count: Int = 4) -> [UInt8] {
        var content = [UInt8](repeating: 0, count: 8)
        content.put(entry, at: 0)
        return note(Array(content.prefix(count)))
    }

    var bytes: [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 64 + 56 * segments.count)
        bytes.replaceSubrange(0..<4, with: [0x7F, 0x45, 0x4C, 0x46])
        bytes.put(elfClass, at: 4)
        bytes.put(dataEncoding, at: 5)
        bytes.put(type, at: 16)
        bytes.put(machine, at: 18)
        bytes.put(entry, at: 24)
        bytes.put(tableOffset, at: 32)
        bytes.put(entrySize, at: 54)
        bytes.put(count ?? UInt16(segments.count), at: 56)
        for (index, segment) in segments.enumerated() {
            let place = 64 + 56 * index
            bytes.put(segment.type, at: place)
            bytes.put(segment.offset ?? UInt64(bytes.count), at: place + 8)
            bytes.put(segment.address, at: place + 24)
            bytes.put(segment.fileCount ?? UInt64(segment.bytes.count), at: place + 32)
            bytes.put(segment.memoryCount ?? UInt64(segment.bytes.count), at: place + 40)
            bytes += segment.bytes
        }
        return bytes
    }

    static func make(notes: [UInt8] = [], _ change: (inout ELFBuilder) -> Void = { _ in }) -> [UInt8] {
        var builder = ELFBuilder()
        if !notes.isEmpty { builder.segments.append(Segment(type: 4, address: 0, bytes: notes)) }
        change(&builder)
        return builder.bytes
    }
}
