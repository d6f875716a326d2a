import Glibc
import LinuxSystem
import ProcessSupport
import Testing
import TestSupport

extension LinuxGuests {
    @Suite("are cloned: restored more than once from one snapshot")
    struct CloneTests {
        private let place = SnapshotPlace()
        private static let count = SlowTests.areWanted ? 100 : 4

        /// A guest with its memory filled, and random numbers to give: it has given one.
        private func start(mebibytes: Int) throws -> TypedGuest {
            let disk = try place.directory.sparseFile("disk", size: 1 << 20)
            let guest = try TypedGuest(booting: Guest(
                "clone", words: "test.mib=\(mebibytes)", ["--memory", "256M", "--disk", disk] + place.options(), input: .pipe).process)
            let random = try guest.tell("draw", for: "random")
            #expect(random.utf8.count == 32, "\(random)")
            return guest
        }

        /// Clones with names and disks of their own, all at once.
        private func clone(_ guest: TypedGuest, _ snapshot: String, _ count: Int) throws -> [(name: String, guest: TypedGuest)] {
            try (0..<count).map { index in
                let name = "clone-\(CurrentProcess.identifier)-\(index)"
                let disk = try place.directory.file("\(snapshot)-disk-\(index)", try #require(place.directory.contents("disk")))
                let process = try place.restore(snapshot, ["--name", name, "--disk", disk], input: .pipe)
                return (name, TypedGuest(restored: process, from: guest))
            }
        }

        private func quit(_ clones: [(name: String, guest: TypedGuest)]) throws {
            for clone in clones { try clone.guest.quit().expect(ok: ["clone"]) }
        }

        @Test("each has random numbers, a disk and a name of its own, and what it does not change it shares with the others")
        func clones() throws {
            let mebibytes = 64
            let guest = try start(mebibytes: mebibytes)
            try guest.expect("mark saved")
            #expect(try guest.tell("forks", for: "forks") == "0")
            _ = try place.stop(guest.process, as: "s")
            let clones = try clone(guest, "s", Self.count)
            // All have gone on before any is asked for more.
            for (_, clone) in clones { #expect(try clone.tell("forked 1", for: "forks") == "1") }
            let random = try clones.map { try $0.guest.tell("draw", for: "random") }
            #expect(Set(random).count == Self.count, "\(random)")
            for (index, clone) in clones.enumerated() {
                try clone.guest.expect("marked", "mark=saved")
                try clone.guest.expect("mark clone\(index)")
            }
            for (index, clone) in clones.enumerated() {
                try clone.guest.expect("marked", "mark=clone\(index)")
                // Every page is read.
                try clone.guest.expect("check")
            }
            #expect(place.directory.contents("disk").map { String(decoding: $0.prefix(6), as: UTF8.self) } == "saved\0")
            let bytes = try clones.map { try #require(try SnapshotPlace.statistics($0.name)["private_bytes"]) }
            // One that shared nothing would have the memory that it was filled with by itself, all the rest not counted.
            let bound = mebibytes << 19
            #expect(bytes.reduce(0, +) < bound * Self.count && bytes.allSatisfy { $0 > 0 }, "private bytes: \(bytes)")
            print("\(Self.count) clones of \(mebibytes) MiB in use: \((bytes.reduce(0, +) / Self.count) >> 10) KiB of its own each")
            try quit(clones)
        }

        @Test("they draw other random numbers because they hear of their new generation: those that do not draw the same",
              arguments: [true, false])
        func cause(hears: Bool) throws {
            let guest = try start(mebibytes: 1)
            if !hears { try guest.expect("deafen") }
            _ = try place.stop(guest.process, as: "young")
            // A kernel that has run for two minutes or more begins anew with its random numbers once a minute, a younger one more often:
            // this one is to be a day old.
            try SavedTime.setBack(place.path("young"), seconds: 86400)
            guest.move(to: try place.restore("young", input: .pipe))
            let start = try #require(Int(try guest.tell("clocks", for: "uptime")))
            #expect(start >= 86400)
            // From here on the minute counts.
            try guest.expect("reseed")
            _ = try place.stop(guest.process, as: "old")
            let count = 3
            let clones = try clone(guest, "old", count)
            var random: [String] = []
            var ages: [Int] = []
            for (_, clone) in clones {
                // One for each time that it was restored.
                #expect(try clone.tell(hears ? "forked 2" : "forks", for: "forks") == (hears ? "2" : "0"))
                random.append(try clone.tell("draw", for: "random"))
                ages.append(try #require(Int(try clone.tell("clocks", for: "uptime"))) - start)
            }
            if hears {
                #expect(Set(random).count == count, "\(random)")
            } else {
                // Two of them at least: a kernel may have taken some for itself meanwhile.
                try #require(ages.allSatisfy { $0 < 60 }, "this machine is too slow for the test: \(ages) seconds after the last reseeding")
                #expect(Set(random).count < count, "\(random), \(ages) seconds after the last reseeding")
            }
            try quit(clones)
        }
    }
}
