import GuestMemory
import TestSupport
import Testing
import Virtio

/// A queue and its driver in 4 GiB of guest memory, so that there is a hole below 4 GiB.
struct QueueHarness {
    static let buffers: GuestAddress = 0x10_0000
    static let indirectTable: GuestAddress = 0x20_0000

    let memory: GuestMemory
    let driver: MockDriver
    let queue: Virtqueue
    let chain: DescriptorChain

    init(size: UInt16 = 8, features: FeatureBits = [.version1, .indirectDescriptors]) throws {
        memory = try GuestMemory(layout: try #require(RAMLayout(size: 4 << 30)))
        driver = MockDriver(memory: memory, size: size)
        queue = try Virtqueue(Self.configuration(driver), memory: memory, features: features)
        chain = DescriptorChain(capacity: Int(size))
    }

    static func configuration(_ driver: MockDriver, maximumSize: UInt16 = 256) -> QueueConfiguration {
        var configuration = QueueConfiguration(maximumSize: maximumSize)
        configuration.size = driver.size
        configuration.isReady = true
        configuration.descriptorTable = driver.descriptorTable
        configuration.availableRing = driver.availableRing
        configuration.usedRing = driver.usedRing
        return configuration
    }

    /// What the device can read of the chain it holds.
    var readable: [UInt8] {
        var bytes = [UInt8](repeating: 0, count: chain.readableCount)
        let count = bytes.withUnsafeMutableBytes { chain.read(at: 0, into: $0) }
        return Array(bytes.prefix(count))
    }
}
