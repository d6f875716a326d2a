import Glibc
import ProcessSupport
import Testing
import TestSupport

extension LinuxGuests {
    @Suite("end")
    struct PowerTests {
        @Test("SIGTERM presses the power button, and the guest powers off", arguments: [Kernel.vmlinux, .debian])
        func powerButton(kernel: Kernel) throws {
            let guest = try Guest("button", kernel: kernel, ["--grace", "300"])
            try guest.wait(for: "ready")
            guest.process.signal(SIGTERM)
            let finished = try guest.finish()
            finished.expect(ok: ["button"])
            #expect(finished.facts["button"].count == 1)
            #expect(finished.errors == """
                svmm: SIGTERM: pressed the power button; killing the guest in 300 s
                svmm: the guest powered off

                """)
        }

        @Test("a second SIGTERM kills a guest that does not end")
        func secondSignal() throws {
            let guest = try Guest("hang", ["--grace", "300"])
            try guest.wait(for: "ready")
            guest.process.signal(SIGTERM)
            try guest.process.errors.wait(for: "pressed the power button")
            guest.process.signal(SIGTERM)
            try guest.finish().expect(status: 143, "killed by a second signal, SIGTERM")
        }

        @Test("a guest that does not end in its time is killed")
        func grace() throws {
            let guest = try Guest("hang", ["--grace", "0.5"])
            try guest.wait(for: "ready")
            guest.process.signal(SIGTERM)
            try guest.finish().expect(status: 13, "the guest did not power off within 0.5 s and was killed")
        }

        @Test("a guest's reboot ends svmm with a status of its own", arguments: [Kernel.vmlinux, .debian])
        func reboot(kernel: Kernel) throws {
            try Guest("reboot", kernel: kernel).finish().expect(status: 10, "the guest rebooted")
        }

        @Test("with --on-reboot restart a guest that reboots is started again")
        func restart() throws {
            let directory = TemporaryDirectory()
            let disk = try directory.sparseFile("disk", size: 1 << 20)
            let finished = try Guest("once", ["--on-reboot", "restart", "--disk", disk]).finish()
            finished.expect(ok: ["once"])
            #expect(finished.facts["up"].count == 2)
            #expect(finished.errors == "svmm: the guest rebooted; starting it again\nsvmm: the guest powered off\n")
        }

        /// How a guest panics, and by what svmm learns of it.
        struct Panic: CustomTestStringConvertible {
            let kernel: Kernel
            let scenario: String
            var words = ""
            let testDescription: String

            static let all = [
                Panic(kernel: .vmlinux, scenario: "panic", testDescription: "vmlinux, by the pvpanic device"),
                Panic(kernel: .vmlinux, scenario: "exit", testDescription: "vmlinux, the first process ended"),
                Panic(kernel: .debian, scenario: "panic", words: "test.skip=pvpanic",
                      testDescription: "Debian's, by its warm reboot, without the pvpanic module"),
            ]
        }

        @Test("a kernel's panic ends svmm with a status of its own, after its last words", arguments: Panic.all)
        func panic(test: Panic) throws {
            let finished = try Guest(test.scenario, kernel: test.kernel, words: test.words).finish()
            finished.expect(status: 11, "the guest's kernel panicked", ok: test.scenario == "panic" ? finished.facts["ok"] : [])
            #expect(finished.console.contains("Kernel panic - not syncing"))
            #expect(finished.facts["up"].count == 1)
        }
    }
}
