@testable import Firmware
import Testing

@Suite("AML encoding")
struct AMLTests {
    @Test("a package length counts itself and takes the fewest bytes", arguments: [
        (0, [0x01]),
        (62, [0x3F]),
        (63, [0x41, 0x04]),  // 65
        (4093, [0x4F, 0xFF]),  // 4095
        (4094, [0x81, 0x00, 0x01]),  // 4097
        (0xF_FFFC, [0x8F, 0xFF, 0xFF]),
        (0xF_FFFD, [0xC1, 0x00, 0x00, 0x01]),  // 0x100001
    ] as [(Int, [UInt8])])
    func packageLength(content: Int, expected: [UInt8]) {
        let encoded = AML.withLength(Array(repeating: 0xA5, count: content))
        #expect(Array(encoded.prefix(expected.count)) == expected)
        #expect(encoded.count == expected.count + content)
    }

    @Test("a package length decodes to the bytes it spans, around every boundary", arguments: [
        60...70, 4088...4100, 0xF_FFF8...0x10_0002,
    ])
    func packageLengthRoundTrip(sizes: ClosedRange<Int>) {
        for size in sizes {
            let encoded = AML.withLength(Array(repeating: 0, count: size))
            let following = Int(encoded[0] >> 6)
            var length = following == 0 ? Int(encoded[0] & 0x3F) : Int(encoded[0] & 0x0F)
            for index in 0..<following {
                length |= Int(encoded[1 + index]) << (4 + 8 * index)
            }
            #expect(length == encoded.count)
            #expect(encoded.count == size + 1 + following)
        }
    }

    @Test("an integer takes its shortest encoding", arguments: [
        (0, [0x00]),
        (1, [0x01]),
        (2, [0x0A, 0x02]),
        (0xFF, [0x0A, 0xFF]),
        (0x100, [0x0B, 0x00, 0x01]),
        (0xFFFF, [0x0B, 0xFF, 0xFF]),
        (0x1_0000, [0x0C, 0x00, 0x00, 0x01, 0x00]),
        (0xFFFF_FFFF, [0x0C, 0xFF, 0xFF, 0xFF, 0xFF]),
        (0x1_0000_0000, [0x0E, 0, 0, 0, 0, 1, 0, 0, 0]),
        (.max, [0x0E] + Array(repeating: 0xFF, count: 8)),
    ] as [(UInt64, [UInt8])])
    func integers(value: UInt64, expected: [UInt8]) {
        #expect(AML.integer(value).bytes == expected)
    }

    @Test("short names are filled with underscores")
    func names() {
        #expect(NameSegment("_SB").bytes == Array("_SB_".utf8))
        #expect(NameSegment("COM1").bytes == Array("COM1".utf8))
        #expect(NameSegment(letter: "C", index: 0).bytes == Array("C000".utf8))
        #expect(NameSegment(letter: "V", index: 0xABC).bytes == Array("VABC".utf8))
        for (event, name) in [(0, "_E00"), (0x0F, "_E0F"), (0x10, "_E10"), (0xFF, "_EFF")] as [(UInt8, String)] {
            #expect(NameSegment(event: event).bytes == Array(name.utf8))
        }
    }

    @Test("an EISA ID is compressed to 32 bits")
    func eisaID() {
        #expect(AML.eisaID("PNP0501").bytes == [0x0C, 0x41, 0xD0, 0x05, 0x01])
        #expect(AML.eisaID("PNP0C02").bytes == [0x0C, 0x41, 0xD0, 0x0C, 0x02])
    }

    @Test("terms nest with their lengths")
    func nesting() {
        let device = AML.device("RTC", [.name("_UID", .integer(7)), .name("_DDN", .string("A"))])
        let name = Array("RTC_".utf8) + [0x08] + Array("_UID".utf8) + [0x0A, 7]
            + [0x08] + Array("_DDN".utf8) + [0x0D, 0x41, 0x00]
        #expect(device.bytes == [0x5B, 0x82, UInt8(name.count + 1)] + name)
        #expect(AML.scope("_SB", [device]).bytes
            == [0x10, UInt8(device.bytes.count + 5)] + Array("_SB_".utf8) + device.bytes)
        #expect(AML.package([.integer(5), .integer(0)]).bytes == [0x12, 0x05, 0x02, 0x0A, 0x05, 0x00])
        #expect(AML.buffer([1, 2, 3]).bytes == [0x11, 0x06, 0x0A, 0x03, 1, 2, 3])
    }

    @Test("a method has no arguments, and a notification names its device from the root")
    func method() {
        let notify: [UInt8] = [0x86, 0x5C, 0x2E] + Array("_SB_VGEN".utf8) + [0x0A, 0x80]
        #expect(AML.notify("_SB", "VGEN", 0x80).bytes == notify)
        #expect(AML.method("_E00", [.notify("_SB", "VGEN", 0x80)]).bytes
            == [0x14, UInt8(notify.count + 6)] + Array("_E00".utf8) + [0x00] + notify)
    }

    @Test("a resource template ends in an end tag that makes its sum zero")
    func resourceTemplate() {
        let template = AML.resourceTemplate([
            .ports(0x3F8, length: 8), .isaInterrupt(4), .memory32Fixed(0xD000_0000, length: 0x1000),
            .interrupt(16, shared: false), .interrupt(17, shared: true),
        ])
        let expected: [UInt8] = [
            0x47, 0x01, 0xF8, 0x03, 0xF8, 0x03, 0x01, 0x08,
            0x22, 0x10, 0x00,
            0x86, 0x09, 0x00, 0x01, 0x00, 0x00, 0x00, 0xD0, 0x00, 0x10, 0x00, 0x00,
            0x89, 0x06, 0x00, 0x03, 0x01, 0x10, 0x00, 0x00, 0x00,
            0x89, 0x06, 0x00, 0x0B, 0x01, 0x11, 0x00, 0x00, 0x00,
            0x79,
        ]
        let contents = Array(template.bytes.dropFirst(4))  // BufferOp, PkgLength, BufferSize
        #expect(contents.dropLast() == expected[...])
        #expect(contents.sum == 0)
    }
}
