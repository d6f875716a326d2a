import Firmware
import Testing

/// A firmware image as the guest reads it: from guest physical addresses, knowing nothing but the specifications.
struct GuestView {
    let image: FirmwareImage

    init(_ image: FirmwareImage) {
        self.image = image
    }

    init(processors: Int, virtioDevices: Int = 0) throws {
        self.init(try makeFirmware(for: .sample(processors: processors, virtioDevices: virtioDevices)))
    }

    func bytes(at address: UInt64, count: Int) throws -> [UInt8] {
        let start = try #require(Int(exactly: address - image.address))
        try #require(start + count <= image.bytes.count)
        return Array(image.bytes[start..<start + count])
    }

    func integer<Value: FixedWidthInteger>(_: Value.Type, at address: UInt64) throws -> Value {
        try bytes(at: address, count: Value.bitWidth / 8).integer(Value.self, at: 0)
    }

    /// The addresses, multiples of 16, from `start` to the end of the BIOS area at which `signature` is found.
    func search(for signature: String, from start: UInt64) throws -> [UInt64] {
        let last = image.address + UInt64(image.bytes.count) - 16
        return try stride(from: start, through: last, by: 16).filter {
            try bytes(at: $0, count: signature.utf8.count) == Array(signature.utf8)
        }
    }

    /// The table at `address`, whose header holds its length.
    func table(at address: UInt64) throws -> [UInt8] {
        try bytes(at: address, count: Int(integer(UInt32.self, at: address + 4)))
    }

    /// The tables by signature, found from the RSDP on. A signature that comes twice fails.
    func tables() throws -> [String: [UInt8]] {
        var found: [String: [UInt8]] = [:]
        func add(_ address: UInt64) throws -> [UInt8] {
            let table = try table(at: address)
            let signature = String(decoding: table[0..<4], as: UTF8.self)
            #expect(found.updateValue(table, forKey: signature) == nil)
            return table
        }
        let xsdt = try add(integer(UInt64.self, at: image.rsdpAddress + 24))
        for offset in stride(from: 36, to: xsdt.count, by: 8) {
            _ = try add(xsdt.integer(UInt64.self, at: offset))
        }
        let fadt = try #require(found["FACP"])
        _ = try add(UInt64(fadt.integer(UInt32.self, at: 36)))
        _ = try add(fadt.integer(UInt64.self, at: 140))
        return found
    }

    func table(_ signature: String) throws -> [UInt8] {
        try #require(try tables()[signature])
    }
}

extension [UInt8] {
    func integer<Value: FixedWidthInteger>(_: Value.Type, at offset: Int) -> Value {
        self[offset..<offset + Value.bitWidth / 8].reversed().reduce(0) { $0 << 8 | Value($1) }
    }

    var sum: UInt8 { reduce(0, &+) }

    func contains(_ part: [UInt8]) -> Bool {
        indices.contains { self[$0...].starts(with: part) }
    }
}

extension MachineShape {
    static func sample(processors: Int, virtioDevices: Int = 0) -> MachineShape {
        MachineShape(processorCount: processors, virtioDevices: (0..<virtioDevices).map {
            VirtioWindow(
                address: 0xD000_0000 + UInt64($0) * 0x1000,
                gsi: PlatformMap.assignableGSIs[$0 % PlatformMap.assignableGSIs.count])
        })
    }
}
