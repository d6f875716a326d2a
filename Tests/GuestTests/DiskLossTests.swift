import Glibc
import LinuxSystem
import ProcessSupport
import Testing
import TestSupport

extension LinuxGuests {
    @Suite("lose no flushed block when svmm is killed", .needsRoot)
    struct DiskLossTests {
        private static let blockSize = 4096
        private static let blockCount = 8192

        /// How the disk is written to, on both sides.
        struct Case: CustomTestStringConvertible {
            let mode: String
            let disk: String

            var testDescription: String { "\(mode)\(disk)" }

            static let all = [Case(mode: "direct", disk: ""), Case(mode: "buffered", disk: ",engine=threads,cache=none")]
        }

        @Test("whatever the guest was told to be flushed is in the image", arguments: Case.all)
        func kill(test: Case) throws {
            // O_DIRECT is nothing that every file system of a temporary directory has.
            let place = try SharedDisk()
            let image = place.path + "/disk"
            try SharedDisk.run("truncate --size \(Self.blockCount * Self.blockSize) \(image)")
            let seed = UInt32.random(in: 1...9999)
            let guest = try Guest("flushes", words: "test.mode=\(test.mode) test.seed=\(seed)", ["--disk", image + test.disk])
            try guest.wait(for: "flushed ", times: 60)
            // The guest goes on writing meanwhile.
            guest.process.signal(SIGKILL)
            let finished = try guest.finish()
            #expect(finished.end == .killed(SIGKILL))
            #expect(finished.facts["FAIL"] == [] && finished.facts["ok"] == [], "the guest came to its end")
            // The last line may be cut.
            let complete = finished.console.lastIndex(where: \.isNewline).map { String(finished.console[..<$0]) } ?? ""
            let flushed = try #require(Facts(console: complete)["flushed"].last.flatMap { Int($0) }, "\(finished.console)")
            #expect(flushed >= 60)

            let (lost, strange) = Self.compare(try #require(contents(ofSmallFile: image, limit: 1 << 26)), flushed)
            #expect(lost == [], "of \(flushed) flushed blocks; seed \(seed)")
            #expect(strange == [], "not what was written there; seed \(seed)")
            // The image is nobody's now, and a new guest finds the same.
            try Guest("readonly", ["--disk", image + ",ro"]).finish().expect(ok: ["readonly"])
        }

        /// The flushed blocks that are not there, and those in which is what the guest never wrote there.
        private static func compare(_ image: [UInt8], _ flushed: Int) -> (lost: [Int], strange: [Int]) {
            var lost: [Int] = []
            var strange: [Int] = []
            let zeros = [UInt64](repeating: 0, count: blockSize / 8)
            image.withUnsafeBytes { image in
                for number in 1..<blockCount {
                    let start = number * 40503 % blockCount * blockSize
                    let block = UnsafeRawBufferPointer(rebasing: image[start..<(start + blockSize)])
                    let expected = [UInt64](repeating: UInt64(number), count: blockSize / 8)
                    if memcmp(block.baseAddress!, expected, blockSize) == 0 { continue }
                    if number <= flushed { lost.append(number) }
                    if memcmp(block.baseAddress!, zeros, blockSize) == 0 { continue }
                    // Of what was on its way any part may be there, but nothing else.
                    let words = block.bindMemory(to: UInt64.self)
                    if !words.allSatisfy({ $0 == UInt64(number) || $0 == 0 }) { strange.append(number) }
                }
            }
            return (lost, strange)
        }
    }
}
