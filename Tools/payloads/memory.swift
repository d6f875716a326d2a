// Walks the memory map and touches the first and the last page of every usable range.

let payloadName: StaticString = "memory"

func payload() {
    var total: UInt64 = 0
    for index in 0..<Boot.memoryRangeCount {
        let range = Boot.memoryRange(index)
        report("range \(hex: range.start) size=\(hex: range.size) type=\(range.type)")
        guard range.type == Boot.MemoryRange.usable else { continue }
        total += range.size
        if range.size < 8 { continue }
        let first = (range.start + 7) & ~7
        let last = (range.end - 8) & ~7
        touch(first)
        touch(last)
    }
    report("ok \(total)")
}

/// Writes two patterns, reads each back and restores what was there.
func touch(_ physical: UInt64) {
    let address = HighMemory.map(physical)
    let before = load64(address)
    check(address, holds: 0x5AA5_0FF0_1234_5678 &+ physical)
    check(address, holds: ~physical)
    store64(address, before)
}

func check(_ address: UInt, holds pattern: UInt64) {
    store64(address, pattern)
    let found = load64(address)
    if found != pattern { fail("at \(hex: address): wrote \(hex: pattern), read \(hex: found)") }
}

/// start.S maps 4 GiB; what lies above is mapped here when it is first asked for.
enum HighMemory {
    static func map(_ physical: UInt64) -> UInt {
        let gigabyte = UInt(physical >> 30)
        if gigabyte >= 512 { fail("memory at \(hex: physical): beyond what this payload maps") }
        let entry = pageDirectoryPointers() + gigabyte * 8
        if load64(entry) == 0 {
            let directory = Arena.take(4096, alignment: 4096)
            for index in 0..<UInt(512) {
                store64(directory + index * 8, UInt64(gigabyte) << 30 | UInt64(index) << 21 | 0x87)
            }
            store64(entry, UInt64(directory) | 7)
        }
        return UInt(physical)
    }
}
