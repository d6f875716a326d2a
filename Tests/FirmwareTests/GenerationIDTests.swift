import Firmware
import Testing

/// What Microsoft's "Virtual Machine Generation ID" asks of a platform.
@Suite("Generation ID")
struct GenerationIDTests {
    @Test("it is aligned to 8 bytes, in the reserved area, in a page that nothing else is in", arguments: [1, 2, 64])
    func place(processors: Int) throws {
        let id = PlatformMap.generationID
        #expect(id % 8 == 0)
        #expect(PlatformMap.generationIDLength == 16)
        let area = PlatformMap.firmwareAddress..<PlatformMap.firmwareAddress + UInt64(PlatformMap.firmwareCapacity)
        #expect(area.contains(id) && area.contains(id + UInt64(PlatformMap.generationIDLength) - 1))
        let image = try GuestView(processors: processors, virtioDevices: 18).image
        #expect(image.address + UInt64(image.bytes.count) <= id & ~0xFFF)
    }

    @Test("the device has the names by which systems look for it, and the address in two halves")
    func device() throws {
        let dsdt = try GuestView(processors: 1).table("DSDT")
        let name = [0x0D] + Array("VM_Gen_Counter".utf8) + [0]
        #expect(dsdt.contains([0x08] + Array("_CID".utf8) + name))
        #expect(dsdt.contains([0x08] + Array("_DDN".utf8) + name))
        #expect(dsdt.contains([0x08] + Array("_HID".utf8) + [0x0D] + Array("SVMM0001".utf8) + [0]))
        let address: [UInt8] = [0x12, 0x08, 0x02, 0x0C, 0x00, 0xF0, 0x0F, 0x00, 0x00]
        #expect(dsdt.contains([0x08] + Array("ADDR".utf8) + address))
    }

    @Test("its event is one of the block's, and has a method that notifies the device of 0x80")
    func event() throws {
        #expect(Int(PlatformMap.generationEvent) < Int(PlatformMap.gpe0Length) / 2 * 8)
        let dsdt = try GuestView(processors: 1).table("DSDT")
        let notify: [UInt8] = [0x86] + Array("\\".utf8) + [0x2E] + Array("_SB_VGEN".utf8) + [0x0A, 0x80]
        #expect(dsdt.contains(Array("_GPE".utf8) + [0x14, 0x13] + Array("_E00".utf8) + [0x00] + notify))
    }
}
