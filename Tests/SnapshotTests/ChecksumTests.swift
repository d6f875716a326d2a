@testable import Snapshot
import Testing
import TestSupport

@Suite("CRC-32C")
struct ChecksumTests {
    @Test("is that of RFC 3720, appendix B.4", arguments: [
        ([], 0), (Array("123456789".utf8), 0xE306_9283), ([UInt8](repeating: 0, count: 32), 0x8A91_36AA),
        ([UInt8](repeating: 0xFF, count: 32), 0x62A8_AB43), (Array(0..<32), 0x46DD_794E),
        (Array((0..<32).reversed()), 0x113F_DB5C),
    ] as [([UInt8], UInt32)])
    func vectors(bytes: [UInt8], checksum: UInt32) {
        #expect(CRC32C.checksum(bytes) == checksum)
    }

    @Test("eight bytes at a time are the same as one after the other, at every length and place")
    func lengths() {
        var random = SplitMix64(seed: 7)
        let bytes = random.bytes(64)
        for start in 0..<9 {
            for end in start...bytes.count {
                var slow = UInt32.max
                for byte in bytes[start..<end] {
                    slow ^= UInt32(byte)
                    for _ in 0..<8 { slow = slow & 1 == 0 ? slow >> 1 : slow >> 1 ^ 0x82F6_3B78 }
                }
                #expect(CRC32C.checksum(bytes[start..<end]) == ~slow)
            }
        }
    }
}
