/// One resource of a device (ACPI 6.5, section 6.4).
struct Resource {
    let bytes: [UInt8]

    /// `IRQNoFlags () {irq}`: an ISA interrupt, edge triggered, active high, not shared (section 6.4.2.1).
    static func isaInterrupt(_ irq: UInt32) -> Resource {
        var bytes: [UInt8] = [0x22]
        bytes.append(littleEndian: 1 << irq as UInt16)
        return Resource(bytes: bytes)
    }

    /// `IO (Decode16, port, port, 0x01, length)` (section 6.4.2.5). `length` is at most 255.
    static func ports(_ port: UInt16, length: UInt16) -> Resource {
        var bytes: [UInt8] = [0x47]
        bytes.append(1)  // Decodes 16 address bits
        bytes.append(littleEndian: port)  // Minimum
        bytes.append(littleEndian: port)  // Maximum
        bytes.append(1)  // Alignment
        bytes.append(UInt8(length))
        return Resource(bytes: bytes)
    }

    /// `Memory32Fixed (ReadWrite, address, length)` (section 6.4.3.4).
    static func memory32Fixed(_ address: UInt32, length: UInt32) -> Resource {
        var bytes: [UInt8] = [0x86]
        bytes.append(littleEndian: 9 as UInt16)
        bytes.append(1)  // Writable
        bytes.append(littleEndian: address)
        bytes.append(littleEndian: length)
        return Resource(bytes: bytes)
    }

    /// `Interrupt (ResourceConsumer, Edge, ActiveHigh, Exclusive) {gsi}`, or `Shared` (section 6.4.3.6). Linux takes
    /// trigger and polarity of this descriptor as they are; those of an ISA one it compares with the MADT.
    static func interrupt(_ gsi: UInt32, shared: Bool) -> Resource {
        let consumer: UInt8 = 1 << 0
        let edge: UInt8 = 1 << 1
        var bytes: [UInt8] = [0x89]
        bytes.append(littleEndian: 6 as UInt16)
        bytes.append(consumer | edge | (shared ? 1 << 3 : 0))
        bytes.append(1)  // Interrupt Table Length
        bytes.append(littleEndian: gsi)
        return Resource(bytes: bytes)
    }
}

extension AML {
    /// `ResourceTemplate () { resources }`: a buffer that ends in an end tag with a checksum (section 6.4.2.9).
    static func resourceTemplate(_ resources: [Resource]) -> AML {
        var contents: [UInt8] = []
        for resource in resources {
            contents.append(contentsOf: resource.bytes)
        }
        contents.append(0x79)
        contents.append(contents.checksum)
        return .buffer(contents)
    }
}
