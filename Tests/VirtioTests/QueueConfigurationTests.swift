import GuestMemory
import TestSupport
import Testing
import Virtio

@Suite("Queue configuration")
struct QueueConfigurationTests {
    private let memory: GuestMemory
    private let driver: MockDriver

    init() throws {
        memory = try GuestMemory(layout: try #require(RAMLayout(size: 4 << 30)))
        driver = MockDriver(memory: memory, size: 8)
    }

    private func make(_ change: (inout QueueConfiguration) -> Void) throws -> Virtqueue {
        var configuration = QueueHarness.configuration(driver)
        change(&configuration)
        return try Virtqueue(configuration, memory: memory, features: .version1)
    }

    @Test("a size is a power of two up to the maximum", arguments: [1, 2, 4, 8, 16, 32, 64, 128, 256] as [UInt16])
    func sizes(size: UInt16) throws {
        #expect(try make { $0.size = size }.size == size)
    }

    @Test("any other size is refused (Firecracker's CVE-2026-5747 divided by it)",
          arguments: [0, 3, 5, 6, 7, 9, 255, 257, 512, 32768, .max] as [UInt16])
    func badSizes(size: UInt16) {
        #expect(throws: QueueError.size(size)) { _ = try make { $0.size = size } }
    }

    @Test("a ring that is not aligned is refused")
    func alignment() {
        for offset in 1..<16 as Range<UInt64> {
            let address = driver.descriptorTable + offset
            #expect(throws: QueueError.ring(.misaligned(address: address, alignment: 16))) {
                _ = try make { $0.descriptorTable = address }
            }
        }
        let available = driver.availableRing + 1
        #expect(throws: QueueError.ring(.misaligned(address: available, alignment: 2))) {
            _ = try make { $0.availableRing = available }
        }
        for offset in 1..<4 as Range<UInt64> {
            let address = driver.usedRing + offset
            #expect(throws: QueueError.ring(.misaligned(address: address, alignment: 4))) {
                _ = try make { $0.usedRing = address }
            }
        }
    }

    @Test("a ring outside RAM, over its end or into the hole is refused", arguments: [
        0xC000_0000, 0xBFFF_FFF0, 0xD000_0000, 0xFFFF_FFF0, 0x1_4000_0000, 0x1_3FFF_FFF0, 0x8000_0000_0000_0000,
        0xFFFF_FFFF_FFFF_FFF0, 0xFFFF_FFFF_FFFF_FF80,
    ] as [GuestAddress])
    func place(address: GuestAddress) {
        #expect(throws: QueueError.ring(.outOfRange(address: address, count: 128))) {
            _ = try make { $0.descriptorTable = address }
        }
        #expect(throws: QueueError.ring(.outOfRange(address: address, count: 22))) {
            _ = try make { $0.availableRing = address }
        }
        #expect(throws: QueueError.ring(.outOfRange(address: address, count: 70))) {
            _ = try make { $0.usedRing = address }
        }
    }

    @Test("rings may end with a region")
    func ends() throws {
        _ = try make { $0.descriptorTable = 0xC000_0000 - 128 }
        _ = try make { $0.availableRing = 0xC000_0000 - 22 }
        _ = try make { $0.usedRing = 0x1_4000_0000 - 72 }
    }
}
