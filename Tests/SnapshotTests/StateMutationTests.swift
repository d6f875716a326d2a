@testable import Snapshot
import Testing
import TestSupport

@Suite("A snapshot's state: random damage")
struct StateMutationTests {
    /// Damage at random; in every second file the header's checksum is made right again, so that what it says is believed.
    @Test("whatever the bytes, they are refused, or are a snapshot that is written as it was read", arguments: 0..<4)
    func random(round: Int) throws {
        let seed = UInt64.random(in: 0 ... .max)
        print("random snapshot states \(round): seed \(seed)")
        var random = SplitMix64(seed: seed)
        let originals = try StateTests.all.map { try $0.encoded(file: "F") }
        var decodedCount = 0
        for step in 0..<5000 {
            var bytes = random.pick(originals)
            for _ in 0...random.below(4) { mutate(&bytes, &random) }
            if step % 2 == 0 { seal(&bytes) }
            guard let contents = try? SnapshotContents(decoding: bytes, file: "F") else { continue }
            decodedCount += 1
            // The map of pages is always written last.
            let again = try SnapshotContents(decoding: try contents.encoded(file: "F"), file: "F")
            #expect(again == contents, "seed \(seed), step \(step)")
        }
        // Damage to an identifier, say, under a checksum that is right.
        #expect(decodedCount > 0, "seed \(seed)")
    }

    private func mutate(_ bytes: inout [UInt8], _ random: inout SplitMix64) {
        guard !bytes.isEmpty else { return bytes = random.bytes(random.below(100)) }
        let place = random.below(bytes.count)
        switch random.below(7) {
        case 0: bytes[place] ^= 1 << UInt8(random.below(8))
        case 1: bytes[place] = random.pick([0, 1, 0x7F, 0x80, 0xFF])
        case 2: bytes.removeSubrange(place..<min(bytes.count, place + random.below(20)))
        case 3: bytes.insert(contentsOf: random.bytes(random.below(20)), at: place)
        case 4: bytes = Array(bytes[..<place])
        case 5 where bytes.count >= 8:
            let word = random.pick([0, 1, 1 << 31, 1 << 32, 1 << 63, .max] as [UInt64])
            bytes.put(word, at: min(place, bytes.count - 8))
        default: bytes[random.below(min(bytes.count, 80))] = random.pick([0, 1, 16, 0xFF])
        }
    }

    /// Makes the length and checksum of the header those of its first bytes.
    private func seal(_ bytes: inout [UInt8]) {
        guard bytes.count >= 20 else { return }
        bytes.replaceSubrange(0..<12, with: Array("SVMMSNAP".utf8) + [1, 0, 0, 0])
        let length = Int(bytes.get(UInt32.self, at: 12))
        guard length >= 20, length <= bytes.count else { return }
        bytes.put(CRC32C.checksum(bytes[..<(length - 4)]), at: length - 4)
    }
}
