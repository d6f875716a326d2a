import Firmware
import Testing

@Suite("MP table")
struct MPTableTests {
    @Test("the floating pointer is found in the last 64 KiB and leads to the configuration table")
    func floatingPointer() throws {
        let guest = try GuestView(processors: 2, virtioDevices: 4)
        #expect(try guest.search(for: "_MP_", from: 0xF0000) == [guest.image.mpAddress])
        let pointer = try guest.bytes(at: guest.image.mpAddress, count: 16)
        #expect(pointer.sum == 0)
        #expect(pointer[8] == 1)
        #expect(pointer[9] == 4)
        #expect(Array(pointer[11...]) == [0, 0, 0, 0, 0])
        let table = UInt64(pointer.integer(UInt32.self, at: 4))
        #expect(try guest.bytes(at: table, count: 4) == Array("PCMP".utf8))
    }

    @Test("the header counts bytes and entries", arguments: [1, 2, 64])
    func header(processors: Int) throws {
        let (table, entries) = try configuration(processors: processors)
        #expect(table.sum == 0)
        #expect(table[6] == 4)
        #expect(String(decoding: table[8..<28], as: UTF8.self) == "SVMM    SVMM        ")
        #expect(table.integer(UInt16.self, at: 34) == UInt16(entries.count))
        #expect(table.integer(UInt32.self, at: 36) == 0xFEE0_0000)
        #expect(entries.count == processors + 1 + 1 + 24 + 2)
    }

    @Test("every processor is enabled and the first one is the bootstrap processor", arguments: [1, 2, 64])
    func processors(count: Int) throws {
        let processors = try configuration(processors: count).entries.filter { $0[0] == 0 }
        #expect(processors.map { $0[1] } == (0..<count).map { UInt8($0) })
        #expect(processors.allSatisfy { $0[2] == 0x14 })
        #expect(processors.map { $0[3] } == [3] + Array(repeating: 1, count: count - 1))
    }

    @Test("there is one ISA bus and one I/O APIC")
    func controllers() throws {
        let entries = try configuration(processors: 1).entries
        #expect(entries.filter { $0[0] == 1 } == [[1, 0] + Array("ISA   ".utf8)])
        #expect(entries.filter { $0[0] == 2 } == [[2, 0, 0x11, 1, 0x00, 0x00, 0xC0, 0xFE]])
    }

    @Test("interrupt n is I/O APIC pin n, edge triggered but for the SCI")
    func interrupts() throws {
        let interrupts = try configuration(processors: 1).entries.filter { $0[0] == 3 }
        #expect(interrupts == (0..<24).map { pin in
            [3, 0, pin == 9 ? 0b1101 : 0b0101, 0, 0, UInt8(pin), 0, UInt8(pin)]
        })
    }

    @Test("LINT0 of the bootstrap processor is the 8259s' and LINT1 of all is the NMI")
    func localInterrupts() throws {
        let interrupts = try configuration(processors: 4).entries.filter { $0[0] == 4 }
        #expect(interrupts == [[4, 3, 0, 0, 0, 0, 0, 0], [4, 1, 0, 0, 0, 0, 0xFF, 1]])
    }

    private func configuration(processors: Int) throws -> (table: [UInt8], entries: [[UInt8]]) {
        let guest = try GuestView(processors: processors)
        let address = UInt64(try guest.integer(UInt32.self, at: guest.image.mpAddress + 4))
        let table = try guest.bytes(at: address, count: Int(guest.integer(UInt16.self, at: address + 4)))
        var entries: [[UInt8]] = []
        var offset = 44
        while offset < table.count {
            let length = table[offset] == 0 ? 20 : 8
            entries.append(Array(table[offset..<offset + length]))
            offset += length
        }
        return (table, entries)
    }
}
