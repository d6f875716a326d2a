import GuestMemory
import LinuxSystem
import Testing
import TestSupport

@Suite("Guest memory")
struct GuestMemoryTests {
    private static let low: UInt64 = 3 << 30
    private static let high: UInt64 = 4 << 30

    private func memory(_ size: UInt64) throws -> GuestMemory {
        try GuestMemory(layout: try #require(RAMLayout(size: size)))
    }

    @Test("discarding gives back whole pages inside the range, and what of it is RAM, and nothing else", arguments: [
        (0x1000, 0x1000, [1]), (0x1001, 0x1FFF, [2]), (0x1000, 0xFFF, []), (0xFFF, 0x1002, [1]), (0, 0x4000, [0, 1, 2, 3]),
        (0x2800, 0x800, []), (0x3000, .max, [3, 4, 5]), (0, 0, []), (.max, .max, []), (low - 0x1000, 0x2000, [4]),
        (high - 0x5000, 0x6000, [5]), (low, 0x4000_0000, []), (low - 1, 0x4000_0002, []),
    ] as [(UInt64, UInt64, [Int])])
    func discard(address: UInt64, count: UInt64, given: [Int]) throws {
        let memory = try memory(Self.low + (1 << 20))
        let pages = [0, 0x1000, 0x2000, 0x3000, Self.low - 0x1000, Self.high]
        for page in pages { for place in [page, page + 4088] { try memory.write(UInt64.max, at: place) } }
        memory.discard(at: address, count: count)
        for (index, page) in pages.enumerated() {
            for place in [page, page + 4088] {
                #expect(try memory.read(UInt64.self, at: place) == (given.contains(index) ? 0 : .max), "page \(index)")
            }
        }
    }

    @Test("starts as zeros and keeps what is written")
    func readWrite() throws {
        let memory = try memory(1 << 20)
        #expect(try memory.read(UInt64.self, at: 0xFFFF8) == 0)
        try memory.write(0x0102_0304_0506_0708 as UInt64, at: 3)
        #expect(try memory.bytes(at: 2, count: 10) == [0, 8, 7, 6, 5, 4, 3, 2, 1, 0])
        try memory.write([9, 8, 7], at: 0xFFFFD)
        #expect(try memory.read(UInt8.self, at: 0xFFFFF) == 7)
    }

    @Test("a range past the end of RAM is refused, however its sum would wrap", arguments: [
        (0xFFFFF, 2), (0x10_0000, 1), (0x10_0000, 0), (0, 0x10_0001), (0, .max), (1, .max), (0xFFFFF, .max),
        (.max, 1), (.max, .max), (.max - 7, 8), (.max - 7, 16), (1 << 63, 1 << 63), (4 << 30, 1),
    ] as [(UInt64, UInt64)])
    func outOfRange(address: UInt64, count: UInt64) throws {
        let memory = try memory(1 << 20)
        #expect(throws: GuestMemoryError.outOfRange(address: address, count: count)) {
            try memory.slice(at: address, count: count)
        }
    }

    @Test("a range that touches the hole below 4 GiB is refused (Firecracker's CVE-2019-18960)", arguments: [
        (low - 1, 2), (low, 1), (low - 4096, 8192), (high - 1, 1), (high - 1, 2), (low - 1, (1 << 30) + 2),
        (0, 4 << 30), (0, 5 << 30), (high + (1 << 30), 1), (high + (1 << 30) - 1, 2), (high, .max),
        (high + 1, .max), (high + 4096, .max - 4094),
    ] as [(UInt64, UInt64)])
    func hole(address: UInt64, count: UInt64) throws {
        let memory = try memory(4 << 30)
        #expect(throws: GuestMemoryError.outOfRange(address: address, count: count)) {
            try memory.slice(at: address, count: count)
        }
    }

    @Test("the bytes at the borders of both regions are their own")
    func borders() throws {
        let memory = try memory(4 << 30)
        let places: [UInt64] = [0, Self.low - 1, Self.high, Self.high + (1 << 30) - 1]
        for (index, address) in places.enumerated() { try memory.write(UInt8(index + 1), at: address) }
        for (index, address) in places.enumerated() {
            #expect(try memory.read(UInt8.self, at: address) == UInt8(index + 1))
        }
        #expect(try memory.slice(at: Self.high, count: 1 << 30).count == 1 << 30)
        #expect(try memory.slice(at: 0, count: Self.low).count == Int(Self.low))
    }

    @Test("the regions lie one after the other in this process, as KVM is told")
    func regions() throws {
        let memory = try memory(4 << 30)
        var hosts: [UnsafeMutableRawPointer] = []
        memory.forEachRegion { _, host in hosts.append(host) }
        #expect(hosts.count == 2)
        #expect(hosts[1] - hosts[0] == 3 << 30)
        #expect(try memory.slice(at: Self.high, count: 1).buffer.baseAddress == hosts[1])
    }

    @Test("64 GiB can be reserved without being used")
    func large() throws {
        let memory = try memory(64 << 30)
        let last: UInt64 = (65 << 30) - 1
        try memory.write(7 as UInt8, at: last)
        #expect(try memory.read(UInt8.self, at: last) == 7)
        #expect(throws: GuestMemoryError.self) { try memory.read(UInt16.self, at: last) }
    }

    @Test("a part of a file is loaded where it belongs")
    func load() throws {
        let memory = try memory(1 << 20)
        let file = try anonymousFile([1, 2, 3, 4, 5])
        try memory.load(file, offset: 1, count: 3, at: 0x1000)
        #expect(try memory.bytes(at: 0xFFF, count: 5) == [0, 2, 3, 4, 0])
    }

    @Test("a file that is shorter than expected is an error that says where it ends")
    func shortFile() throws {
        let memory = try memory(1 << 20)
        let file = try anonymousFile([1, 2, 3, 4, 5])
        #expect(throws: GuestMemoryError.fileRead(offset: 5, nil)) { try memory.load(file, offset: 1, count: 5, at: 0) }
        #expect(throws: GuestMemoryError.fileRead(offset: 1 << 40, nil)) {
            try memory.load(file, offset: 1 << 40, count: 1, at: 0)
        }
    }

    @Test("loading past the end of RAM is refused and reads nothing")
    func loadOutOfRange() throws {
        let memory = try memory(1 << 20)
        let file = try anonymousFile([1, 2, 3])
        #expect(throws: GuestMemoryError.outOfRange(address: 0xFFFFE, count: 3)) {
            try memory.load(file, offset: 0, count: 3, at: 0xFFFFE)
        }
        #expect(try memory.bytes(at: 0xFFFFE, count: 2) == [0, 0])
    }

    @Test("an error says what was asked for")
    func text() {
        let error = GuestMemoryError.outOfRange(address: 0xC000_0000, count: 16)
        #expect("\(error)" == "16 bytes at 0xc0000000 are not guest RAM")
    }
}
