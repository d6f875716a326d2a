import Glibc
import LinuxSystem
import ProcessSupport
import Testing

extension SvmmBoot {
    @Suite("ends as its guest or its user wants", .needsKVM)
    struct PowerTests {
        @Test("each way in which a guest ends has its status and its line", arguments: [
            ("off", 0, "the guest powered off"),
            ("reset", 10, "the guest rebooted"), ("reset-kbd", 10, "the guest rebooted"),
            ("triple", 11, "the guest crashed: triple fault"), ("panic", 11, "the guest's kernel panicked"),
        ] as [(String, Int32, String)], ["linux", "pvh"])
        func guestEnds(ending: (mode: String, status: Int32, words: String), bootProtocol: String) throws {
            let finished = try Svmm.run("power", "power.mode=\(ending.mode)", ["--protocol", bootProtocol])
            expect(finished, status: ending.status, ending.words)
            #expect(finished.lines == ["power: \(ending.mode)"])
        }

        @Test("the first signal presses the power button, and a guest that listens powers off", arguments: [
            (SIGTERM, "SIGTERM"), (SIGINT, "SIGINT"), (SIGHUP, "SIGHUP"),
        ])
        func button(signal: Int32, name: String) throws {
            let process = try Svmm.start("power", "power.mode=button", ["--grace", "30"])
            try process.output.wait(for: "power: waiting\n")
            process.signal(signal)
            let finished = try Finished(process)
            #expect(finished.end == .exited(0))
            #expect(finished.lines == ["power: waiting", "power: button", "power: off"])
            #expect(finished.errorLines == [
                "svmm: \(name): pressed the power button; killing the guest in 30 s", "svmm: the guest powered off",
            ])
        }

        @Test("a guest that ignores the button is killed after the grace period", arguments: ["0", "0.2", "1"])
        func grace(seconds: String) throws {
            let process = try spinning(["--grace", seconds])
            let start = Clock.monotonicNanoseconds()
            process.signal(SIGTERM)
            let finished = try Finished(process)
            let elapsed = Double(Clock.monotonicNanoseconds() - start) / 1e9
            #expect(finished.end == .exited(13))
            #expect(finished.errorLines == [
                "svmm: SIGTERM: pressed the power button, to which the guest does not listen; "
                    + "killing the guest in \(seconds) s",
                "svmm: the guest did not power off within \(seconds) s and was killed",
            ])
            let grace = try #require(Double(seconds))
            #expect(elapsed >= grace && elapsed < grace + 5, "\(elapsed) s")
        }

        @Test("a second signal kills at once", arguments: [
            (SIGTERM, SIGTERM, "SIGTERM"), (SIGTERM, SIGINT, "SIGINT"), (SIGINT, SIGINT, "SIGINT"),
            (SIGINT, SIGHUP, "SIGHUP"),
        ])
        func secondSignal(first: Int32, second: Int32, name: String) throws {
            let process = try spinning(["--grace", "600"])
            process.signal(first)
            try process.errors.wait(for: "killing the guest in 600 s\n")
            process.signal(second)
            let finished = try Finished(process)
            #expect(finished.end == .exited(128 + second))
            #expect(finished.errorLines.last == "svmm: killed by a second signal, \(name)")
        }

        @Test("SIGQUIT kills at once, whatever the number of processors", arguments: [1, 8])
        func quit(processors: Int) throws {
            let process = try spinning(["--cpus", "\(processors)"])
            process.signal(SIGQUIT)
            expect(try Finished(process), status: 131, "killed by SIGQUIT")
        }

        @Test("with --on-reboot restart the guest starts again and again, and nothing grows", arguments: [
            ("power", "power.mode=reset"), ("rng", "rng.end=reset"),
        ])
        func restart(payload: String, options: String) throws {
            let process = try Svmm.start(payload, options, ["--on-reboot", "restart"])
            // The first restarts have the process allocate what it ever needs.
            try process.errors.wait(for: "svmm: the guest rebooted; starting it again\n", times: 8)
            let (files, memory) = (process.openFileCount, try #require(process.residentKiB))
            try process.errors.wait(for: "svmm: the guest rebooted; starting it again\n", times: 40)
            // A restart under way may have the files of two machines.
            #expect(process.openFileCount < files + 20, "\(files) and \(process.openFileCount) files")
            let later = try #require(process.residentKiB)
            #expect(later < memory + (8 << 10), "\(memory) and \(later) KiB")
            #expect(process.output.text.split(separator: "\n").count >= 40)
            process.signal(SIGTERM)
            // Once somebody wants the machine to end, its reboot is its end.
            let finished = try Finished(process)
            #expect(finished.end == .exited(10))
            #expect(finished.errorLines.last == "svmm: the guest rebooted")
        }

        @Test("--on-reboot restart is for reboots: a power-off or a crash still ends the machine", arguments: [
            ("off", 0, "the guest powered off"), ("triple", 11, "the guest crashed: triple fault"),
        ] as [(String, Int32, String)])
        func restartOnlyAfterReboot(mode: String, status: Int32, words: String) throws {
            expect(try Svmm.run("power", "power.mode=\(mode)", ["--on-reboot", "restart"]), status: status, words)
        }

        private func spinning(_ options: [String]) throws -> ChildProcess {
            let process = try Svmm.start("power", "power.mode=spin", options)
            try process.output.wait(for: "power: spinning\n")
            return process
        }
    }
}
