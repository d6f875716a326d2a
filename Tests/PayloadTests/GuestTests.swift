import ProcessSupport
import Testing
import TestSupport

extension SvmmBoot {
    @Suite("runs payload guests", .needsKVM)
    struct GuestTests {
        struct Payload: CustomTestStringConvertible {
            let name: String
            var words = ""
            var options: [String] = []
            /// Patterns of the lines on standard output.
            let lines: [String]

            var testDescription: String { "\(name) \(words)" }

            static let all = [
                Payload(name: "first-exit", lines: []),
                Payload(name: "power", lines: ["power: off"]),
                Payload(name: "exits", words: "exits.count=500", lines: [
                    "exits: empty count=500 *", "exits: pio count=500 *", "exits: mmio count=500 *",
                    "exits: ioeventfd count=500 *", "exits: ok",
                ]),
                Payload(name: "rng", lines: ["rng: ok features=0x* bytes=[1-9]*"]),
                Payload(name: "irq", lines: ["irq: ok gsi=5 interrupts=[1-9]*"]),
                Payload(name: "smp", options: ["--cpus", "2"],
                        lines: ["smp: cpu 0 apic=?", "smp: cpu 1 apic=?", "smp: 2"]),
                Payload(name: "echo", words: "echo.mode=flood echo.bytes=128",
                        lines: ["0000000?*", "0000000?*", "echo: ok flood bytes=128 *"]),
            ]
        }

        @Test("each payload says ok and powers off, entered by either boot protocol",
              arguments: Payload.all, ["linux", "pvh"])
        func payload(payload: Payload, bootProtocol: String) throws {
            let finished = try Svmm.run(payload.name, payload.words, payload.options + ["--protocol", bootProtocol])
            expect(finished)
            #expect(matches(finished.lines, payload.lines), "\(finished.lines)")
        }

        @Test("every processor starts and has an APIC id of its own", arguments: [1, 2, 4, 16, 64])
        func processors(count: Int) throws {
            let finished = try Svmm.run("smp", "smp.cpus=\(count)", ["--cpus", "\(count)"])
            expect(finished)
            #expect(finished.lines.last == "smp: \(count)")
            let identifiers = finished.lines.dropLast().compactMap { Int($0.split(separator: "=").last ?? "") }
            #expect(identifiers.sorted() == Array(0..<count))
        }

        /// Beside `PlatformMap.assignableGSIs`, so that a change of the order there is noticed: kernels are told it.
        static let lines = [5, 6, 7, 10, 11, 12, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 3, 13, 1]

        @Test("the device in each slot interrupts on its own line, whatever the number of disks",
              arguments: lines.indices)
        func interrupts(slot: Int) throws {
            let directory = TemporaryDirectory()
            // The entropy device, which the payload uses, comes after the disks.
            let disk = try directory.sparseFile("disk", size: 512)
            let disks = (0..<slot).flatMap { _ in ["--disk", "\(disk),ro"] }
            let finished = try Svmm.run("irq", "virtio.slots=19 irq.count=20 irq.gsi=\(Self.lines[slot])",
                                        ["--balloon", "off"] + disks)
            expect(finished)
            #expect(matches(finished.lines, ["irq: ok gsi=\(Self.lines[slot]) interrupts=[1-9]*"]), "\(finished.lines)")
        }

        @Test("interrupts reach a machine of many processors")
        func interruptsWithManyProcessors() throws {
            let finished = try Svmm.run("irq", "", ["--cpus", "8"])
            expect(finished)
            #expect(matches(finished.lines, ["irq: ok gsi=5 interrupts=[1-9]*"]), "\(finished.lines)")
        }

        @Test("no attack on the virtio devices harms the monitor or makes it grow", arguments: [0, 1, 3])
        func attacks(disks count: Int) throws {
            let directory = TemporaryDirectory()
            let pattern = (0..<(1 << 16)).map { UInt8(truncatingIfNeeded: $0 &* 7) }
            let disks = try (0..<count).flatMap { ["--disk", try directory.file("disk\($0)", pattern)] }
            let process = try Svmm.start("hostile", "", disks)
            // The first attacks on each device have it allocate what it ever needs.
            try process.output.wait(for: "\n", times: 12)
            let before = try #require(process.residentKiB)
            var largest = before
            while let now = process.residentKiB, !process.output.text.contains("hostile: ok") {
                largest = max(largest, now)
                guard (try? process.output.wait(for: "\n", after: process.output.bytes.count)) != nil else { break }
            }
            let finished = try Finished(process)
            expect(finished)
            let last = finished.lines.last ?? ""
            #expect(matches([last], ["hostile: ok [1-9]* attacks"]), "\(last)")
            #expect(finished.lines.count > 50)
            #expect(largest - before < 8 << 10, "grew from \(before) to \(largest) KiB")
            for index in 0..<count { #expect(directory.contents("disk\(index)") == pattern) }
        }
    }
}
