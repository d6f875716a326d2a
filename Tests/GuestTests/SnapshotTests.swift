import Glibc
import LinuxSystem
import ProcessSupport
import Testing
import TestSupport

extension LinuxGuests {
    @Suite("are saved and go on")
    struct SnapshotTests {
        private let place = SnapshotPlace()

        /// With SVMM_SLOW_TESTS many times.
        private static let count = SlowTests.areWanted ? 50 : 4

        private func expect(_ outcome: SnapshotChain.Outcome, sourceLocation: SourceLocation = #_sourceLocation) {
            outcome.finished.expect(ok: ["selfcheck"], sourceLocation: sourceLocation)
            #expect(outcome.complaints == [], sourceLocation: sourceLocation)
            // Each once, and whole: nothing of what it says is lost or said twice.
            let rounds = outcome.numbers("round")
            #expect(rounds == Array(stride(from: 8, through: 8 * rounds.count, by: 8)), sourceLocation: sourceLocation)
        }

        @Test("over and over, and all the time find memory, disk, clocks and random numbers as they have to be", arguments: [
            (Kernel.vmlinux, "1"), (.vmlinux, "4"), (.debian, "1"),
        ])
        func chain(kernel: Kernel, processors: String) throws {
            let outcome = try SnapshotChain(place: place, kernel: kernel, processors: processors, count: Self.count).run()
            expect(outcome)
            #expect(outcome.numbers("round").count >= 3 * (Self.count + 1), "\(outcome.numbers("round"))")
        }

        @Test("with a network peer that they go on talking to", .enabled(if: canMakeTaps, "needs root and /dev/net/tun"),
              arguments: ["off", "on"])
        func network(vhost: String) throws {
            let chain = SnapshotChain(place: place, words: "test.peer=10.9.0.1:7 test.address=10.9.0.2",
                                      options: ["--net", "tap=guest0,vhost=\(vhost)"], count: SlowTests.areWanted ? 50 : 2)
            let outcome = try inNetworkNamespace {
                for words in [
                    ["tuntap", "add", "guest0", "mode", "tap", "vnet_hdr"], ["address", "add", "10.9.0.1/24", "dev", "guest0"],
                    ["link", "set", "dev", "guest0", "up"],
                ] {
                    let command = try ChildProcess(["/usr/bin/env", "/sbin/ip"] + words)
                    guard try command.waitForEnd() == .exited(0) else { throw SnapshotFailure("ip \(words): \(command.errors.text)") }
                }
                let echo = try DatagramServer(port: 7) { Array($0) }
                defer { echo.stop() }
                return try chain.run()
            }
            expect(outcome)
            // A message in each round, so that some came after every restore.
            let messages = outcome.numbers("messages")
            #expect(zip(messages, messages.dropFirst()).allSatisfy { $0 < $1 }, "\(messages)")
            #expect(messages.count == outcome.numbers("round").count)
        }

        @Test("a day later, at which they find the right time and nothing amiss", arguments: [
            (Kernel.vmlinux, "1"), (.vmlinux, "4"), (.debian, "1"),
        ])
        func dayLater(kernel: Kernel, processors: String) throws {
            let day = 86400
            let chain = SnapshotChain(place: place, kernel: kernel, processors: processors, count: 1)
            let process = try chain.start()
            try process.output.wait(for: "guest: round ", times: 2)
            let before = Int(Clock.realTimeNanoseconds() / 1_000_000_000)
            let console = try place.stop(process, as: "s")
            // As if it had been saved yesterday: then its clock, which was right, is a day ahead of the host's when it goes on.
            try SavedTime.setBack(place.path("s"), seconds: UInt64(day))
            let outcome = try chain.finish(try place.restore("s"), console)
            let after = outcome.finished.time
            expect(outcome)
            let times = outcome.numbers("time")
            let leap = zip(times, times.dropFirst()).map { $1 - $0 }.max() ?? 0
            #expect((day..<(day + after - before + 60)).contains(leap), "\(times)")
            // An emulated processor's clock goes wrong by a few seconds in a minute.
            let last = try #require(times.last) - day
            #expect((before - 60...after + 60).contains(last), "\(times)")
        }
    }
}
