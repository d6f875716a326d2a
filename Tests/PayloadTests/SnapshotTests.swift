import Glibc
import LinuxSystem
import ProcessSupport
import Testing
import TestSupport

extension SvmmBoot {
    @Suite("saves a machine, which goes on elsewhere", .needsKVM)
    struct SnapshotTests {
        private let place = SnapshotPlace()
        private static let off = "power: button\npower: off\n"

        @Test("the machine goes on, and so do those that are restored from it: each hears its button", arguments: ["1", "4"])
        func both(processors: String) throws {
            let original = try place.waiting(["--cpus", processors])
            try place.save(as: "s")
            #expect(directoryEntries(place.path("s")) == ["memory", "state"])
            let restored = try (0..<3).map { try place.restore("s", state: "other\($0)") }
            #expect(try place.pressButton(of: restored[1]) == Self.off)
            #expect(try place.pressButton(of: original) == "power: waiting\n" + Self.off)
            // The snapshot is still good.
            let late = try place.restore("s")
            for machine in [restored[0], late, restored[2]] { #expect(try place.pressButton(of: machine) == Self.off) }
            #expect(place.names == ["s"])
        }

        @Test("a machine that is paused when it is saved stays so, and what is restored from it runs")
        func paused() throws {
            let original = try place.waiting()
            #expect(try place.run("pause", place.path("vm")).end == .exited(0))
            try place.save(as: "s")
            #expect(try place.run("stats", place.path("vm")).lines.contains("paused: 1"))
            #expect(try place.pressButton(of: place.restore("s", state: "other")) == Self.off)
            #expect(try place.run("resume", place.path("vm")).end == .exited(0))
            #expect(try place.pressButton(of: original) == "power: waiting\n" + Self.off)
        }

        /// How each of a chain's snapshots is saved.
        enum Saving: String, CaseIterable { case whole, differences, inTurn }

        @Test("a machine is saved and goes on ten times over, whole or as differences", arguments: Saving.allCases)
        func chain(saving: Saving) throws {
            var machine = try place.waiting(fill: "32M")
            var text = ""
            for step in 0..<10 {
                let isDifference = step > 0 && (saving == .differences || saving == .inTurn && step % 2 == 1)
                text += try place.stop(machine, as: "s\(step)", base: isDifference ? "s\(step - 1)" : nil)
                let bytes = try place.allocatedBytes("s\(step)/memory")
                // The guest polls a port and writes next to nothing.
                #expect(isDifference ? bytes < 1 << 20 : bytes >= 32 << 20, "step \(step): \(bytes) bytes")
                machine = try place.restore("s\(step)")
            }
            text += try place.pressButton(of: machine)
            #expect(text == "power: waiting\n" + Self.off)
            #expect(place.names == (0..<10).map { "s\($0)" })
        }

        // MARK: Disks

        @Test("requests on their way when a machine is saved are answered where it goes on, with the right data", arguments: [
            "engine=io_uring", "engine=threads", "cache=none", "queues=4", "cache=writethrough",
        ])
        func disk(options: String) throws {
            let disk = try place.directory.sparseFile("disk", size: 4 << 20)
            let words = "block.until=button block.depth=64"
            var machine = try place.start("block", words, says: "block: round 2 ", ["--disk", "\(disk),\(options)"])
            var text = ""
            for step in 0..<5 {
                text += try place.stop(machine, as: "s\(step)", base: step % 2 == 1 ? "s\(step - 1)" : nil)
                machine = try place.restore("s\(step)")
                // The one that it was in, and another after it.
                try machine.output.wait(for: "block: round ", times: 2)
            }
            text += try place.pressButton(of: machine)
            let lines = Finished.lines(text)
            let rounds = lines.count - 2
            // Whole lines in their order, though most saves come in the middle of one.
            let patterns = ["block: capacity=8192 id=svmm-disk-0"] + (0..<rounds).map { "block: round \($0) features=0x* indirect=* depth=*" }
                + ["block: ok requests=\(rounds * 128)"]
            #expect(rounds >= 13 && matches(lines, patterns), "\(lines)")
        }

        @Test("requests that wait for their disk's rate are answered where the machine goes on")
        func rate() throws {
            let disk = try place.directory.sparseFile("disk", size: 4 << 20)
            // Some 3 s for all of them: there are always some that wait.
            var machine = try place.start("block", "block.depth=16", says: "block: round 0 ", ["--disk", "\(disk),iops=200,iops-burst=1"])
            var text = ""
            for round in 1..<4 {
                text += try place.stop(machine, as: "s\(round)")
                machine = try place.restore("s\(round)")
                // All of the text there is: a line may have begun before.
                try waitUntil("round \(round)") { (text + machine.output.text).contains("block: round \(round) ") }
            }
            let finished = try Finished(machine)
            expect(finished)
            text += String(decoding: finished.output, as: UTF8.self)
            #expect(matches(Finished.lines(text), [
                "block: capacity=8192 id=svmm-disk-0", "block: round 0 *", "block: round 1 *", "block: round 2 *", "block: round 3 *",
                "block: ok requests=512",
            ]), "\(text)")
        }

        @Test("machines restored from one snapshot at the same time each write to a disk of their own")
        func ownDisks() throws {
            let disk = try place.directory.sparseFile("disk", size: 1 << 20)
            let original = try place.start("block", "block.until=button", says: "block: round 2 ", ["--disk", disk])
            _ = try place.stop(original, as: "s")
            let saved = try #require(place.directory.contents("disk"))
            let machines = try (0..<3).map { index in
                let copy = try place.directory.file("disk\(index)", saved)
                return try place.restore("s", state: "vm\(index)", "--disk", copy)
            }
            for machine in machines { try machine.output.wait(for: "block: round ", times: 4) }
            for machine in machines {
                let text = try place.pressButton(of: machine)
                #expect(Finished.lines(text).last?.hasPrefix("block: ok requests=") == true, "\(text)")
            }
            #expect(place.directory.contents("disk") == saved)
            for index in 0..<3 { #expect(place.directory.contents("disk\(index)") != saved, "disk \(index)") }
        }
    }
}
