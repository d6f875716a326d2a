/// What the loader left in memory: the command line and the memory map, of either boot protocol.
enum Boot {
    struct MemoryRange {
        static let usable: UInt32 = 1

        var start: UInt64
        var size: UInt64
        var type: UInt32

        var end: UInt64 { start &+ size }
    }

    static var byPVH: Bool { load32(bootedByPVH()) != 0 }

    private static var information: UInt { UInt(load64(bootInformation())) }

    /// Address of the NUL-terminated command line, or nil.
    static var commandLine: UInt? {
        // hvm_start_info.cmdline_paddr, boot_params.hdr.cmd_line_ptr and boot_params.ext_cmd_line_ptr
        let address =
            byPVH
            ? UInt(load64(information + 24))
            : UInt(load32(information + 0x228)) | UInt(load32(information + 0xC8)) << 32
        return address == 0 ? nil : address
    }

    static var memoryRangeCount: UInt {
        // hvm_start_info.memmap_entries, boot_params.e820_entries
        byPVH ? UInt(load32(information + 48)) : UInt(load8(information + 0x1E8))
    }

    static func memoryRange(_ index: UInt) -> MemoryRange {
        // struct hvm_memmap_table_entry is 24 bytes, struct boot_e820_entry 20
        let entry = byPVH ? UInt(load64(information + 40)) + index * 24 : information + 0x2D0 + index * 20
        return MemoryRange(start: load64(entry), size: load64(entry + 8), type: load32(entry + 16))
    }

    /// End of the usable memory below 4 GiB.
    static var endOfLowMemory: UInt64 {
        var end: UInt64 = 0
        for index in 0..<memoryRangeCount {
            let range = memoryRange(index)
            if range.type == MemoryRange.usable && range.end <= 1 << 32 && range.end > end { end = range.end }
        }
        return end
    }
}

/// `key=value` words of the command line.
enum Options {
    /// Address of the value's first character.
    private static func value(_ key: StaticString) -> UInt? {
        guard var cursor = Boot.commandLine else { return nil }
        let length = UInt(key.utf8CodeUnitCount)
        while true {
            while load8(cursor) == UInt8(ascii: " ") { cursor += 1 }
            if load8(cursor) == 0 { return nil }
            var matched: UInt = 0
            while matched < length && load8(cursor + matched) == key.utf8Start[Int(matched)] { matched += 1 }
            if matched == length && load8(cursor + length) == UInt8(ascii: "=") { return cursor + length + 1 }
            while !isEnd(load8(cursor)) { cursor += 1 }
        }
    }

    private static func isEnd(_ byte: UInt8) -> Bool {
        byte == 0 || byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\n")
    }

    /// Decimal or 0x…, with an optional K, M or G.
    static func number(_ key: StaticString, default fallback: UInt64) -> UInt64 {
        guard var cursor = value(key) else { return fallback }
        var base: UInt64 = 10
        if load8(cursor) == UInt8(ascii: "0") && load8(cursor + 1) | 0x20 == UInt8(ascii: "x") {
            base = 16
            cursor += 2
        }
        var number: UInt64 = 0
        while let digit = digit(load8(cursor)), digit < base {
            number = number &* base &+ digit
            cursor += 1
        }
        switch load8(cursor) | 0x20 {
        case UInt8(ascii: "k"): return number << 10
        case UInt8(ascii: "m"): return number << 20
        case UInt8(ascii: "g"): return number << 30
        default: return number
        }
    }

    private static func digit(_ byte: UInt8) -> UInt64? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): return UInt64(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): return UInt64(byte - UInt8(ascii: "a") + 10)
        case UInt8(ascii: "A")...UInt8(ascii: "F"): return UInt64(byte - UInt8(ascii: "A") + 10)
        default: return nil
        }
    }

    static func word(_ key: StaticString, is expected: StaticString) -> Bool {
        guard let start = value(key) else { return false }
        for index in 0..<expected.utf8CodeUnitCount where load8(start + UInt(index)) != expected.utf8Start[index] {
            return false
        }
        return isEnd(load8(start + UInt(expected.utf8CodeUnitCount)))
    }

    static func isGiven(_ key: StaticString) -> Bool { value(key) != nil }
}
