import NinePSupport
import TestSupport
import Testing

@Suite("Random sessions beside the same calls on a directory")
struct ModelTests {
    @Test("contents, attributes and errors are the same", arguments: 1...24 as ClosedRange<UInt64>)
    func compare(seed: UInt64) throws {
        let comparison = try ModelComparison()
        var random = SplitMix64(seed: seed)
        var history: [String] = []
        for number in 0..<400 {
            let step = Step.random(&random, handles: comparison.handleCount)
            history.append("\(number): \(step)")
            if let difference = try comparison.difference(step) {
                Issue.record("seed \(seed): \(history.suffix(8).joined(separator: "\n")): \(difference)")
                return
            }
        }
        let (served, direct) = try comparison.contents()
        #expect(served == direct, "seed \(seed)")
    }
}
