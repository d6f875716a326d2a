import Glibc
import LinuxSystem
import ProcessSupport
import Testing

extension SvmmBoot {
    @Suite("gives a guest its memory", .needsKVM)
    struct MemoryTests {
        static let gibibyte: UInt64 = 1 << 30
        /// Between the extended BIOS data area and 1 MiB there is no RAM.
        static let hole: UInt64 = 0x10_0000 - 0x9_FC00

        @Test("all of it, in the places that the memory map says",
              arguments: ["16M", "128M", "3G", "4G", "8G", "64G"], ["linux", "pvh"])
        func map(size: String, bootProtocol: String) throws {
            let number = try #require(UInt64(size.dropLast()))
            let bytes = size.hasSuffix("G") ? number << 30 : number << 20
            let finished = try Svmm.run("memory", "", ["--memory", size, "--protocol", bootProtocol])
            expect(finished)
            let low = min(bytes, 3 * Self.gibibyte)
            var expected = [
                "memory: range 0x0 size=0x9fc00 type=1",
                "memory: range 0x9fc00 size=0x400 type=2",
                "memory: range 0xe0000 size=0x20000 type=2",
                "memory: range 0x100000 size=\(hexadecimal(low - 0x10_0000)) type=1",
                "memory: range 0xfeffc000 size=0x4000 type=2",
            ]
            if bytes > low {
                expected.append("memory: range 0x100000000 size=\(hexadecimal(bytes - low)) type=1")
            }
            #expect(finished.lines == expected + ["memory: ok \(bytes - Self.hole)"])
        }

        @Test("as it is used: 64 GiB untouched take no memory of the host")
        func sparse() throws {
            let process = try Svmm.start("power", "power.mode=spin", ["--memory", "64G"])
            try process.output.wait(for: "power: spinning")
            let resident = try #require(process.residentKiB)
            #expect(resident < 64 << 10, "\(resident) KiB")
            process.signal(SIGQUIT)
            #expect(try process.waitForEnd() == .exited(131))
        }

        @Test("without delay: 64 GiB start within half a second of 128 MiB")
        func startsAsFast() throws {
            func time(_ size: String) throws -> Double {
                let times = try (0..<5).map { _ -> UInt64 in
                    let start = Clock.monotonicNanoseconds()
                    expect(try Svmm.run("power", "", ["--memory", size]))
                    return Clock.monotonicNanoseconds() - start
                }
                return Double(times.sorted()[2]) / 1e9
            }
            let (small, large) = (try time("128M"), try time("64G"))
            #expect(large < small + 0.5, "\(small) s and \(large) s")
        }

        private func hexadecimal(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }
    }
}
