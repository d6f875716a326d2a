import Glibc
import LinuxSystem
import ProcessSupport
import Testing
import TestSupport

/// A kernel and the way it is entered.
struct Kernel: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let path: String
    var options: [String] = []
    var initrd = "test-guest.cpio"

    /// svmm's own kernel as an ELF file, entered in 64-bit mode.
    static let vmlinux = Kernel(testDescription: "vmlinux", path: variable("SVMM_KERNEL"))
    static let bzImage = Kernel(testDescription: "bzImage", path: variable("SVMM_BZIMAGE"))
    static let pvh = Kernel(testDescription: "vmlinux by PVH", path: variable("SVMM_KERNEL"), options: ["--protocol", "pvh"])
    /// As Debian ships it: a bzImage with nearly everything in modules.
    static let debian = Kernel(testDescription: "Debian's bzImage", path: variable("SVMM_DEBIAN_KERNEL"),
                               initrd: "test-guest-debian.cpio")
    static let all = [vmlinux, bzImage, pvh, debian]
}

/// A guest that svmm runs.
final class Guest {
    let process: ChildProcess
    /// Unix time, in seconds.
    let startTime = Int(Clock.realTimeNanoseconds() / 1_000_000_000)

    static let svmm = variable("SVMM_BIN") + "/svmm"

    /// The arguments that boot a kernel with the test guest and have it run scenarios.
    static func arguments(
        _ scenarios: String, kernel: Kernel = .vmlinux, words: String = "", _ options: [String] = []
    ) -> [String] {
        // Without `quiet` most of a boot is kernel messages, each byte of which is an exit.
        [svmm, "boot", "--kernel", kernel.path, "--initrd", variable("SVMM_GUESTS") + "/" + kernel.initrd,
         "--cmdline", "quiet test.run=\(scenarios) \(words)"] + kernel.options + options
    }

    init(
        _ scenarios: String, kernel: Kernel = .vmlinux, words: String = "", _ options: [String] = [],
        input: ChildProcess.Input = .nothing, output: ChildProcess.Output = .captured
    ) throws {
        process = try ChildProcess(Self.arguments(scenarios, kernel: kernel, words: words, options), input: input, output: output)
    }

    /// Waits until the guest has said this.
    func wait(for words: String, times: Int = 1) throws {
        try process.output.wait(for: "guest: \(words)", times: times)
    }

    /// Waits for the end.
    func finish() throws -> Finished {
        try Finished(process)
    }
}

/// A guest that has ended, and what it and svmm said.
struct Finished {
    let end: ProcessEnd
    let console: String
    let errors: String
    /// Unix time, in seconds.
    let time: Int

    init(_ process: ChildProcess) throws {
        end = try process.waitForEnd()
        console = String(decoding: try process.output.waitForEnd(), as: UTF8.self)
        errors = String(decoding: try process.errors.waitForEnd(), as: UTF8.self)
        time = Int(Clock.realTimeNanoseconds() / 1_000_000_000)
    }

    var facts: Facts { Facts(console: console) }

    /// Checks the exit status, svmm's last line, and that these scenarios, and no others, came to their end well.
    func expect(
        status: Int32 = 0, _ lastLine: String = "the guest powered off", ok: [String] = [],
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let said: Comment = "console: \(console.suffix(2000)) errors: \(errors)"
        #expect(end == .exited(status), said, sourceLocation: sourceLocation)
        #expect(errors.hasSuffix("svmm: \(lastLine)\n"), said, sourceLocation: sourceLocation)
        #expect(facts["FAIL"] == [], said, sourceLocation: sourceLocation)
        #expect(facts["ok"] == ok, said, sourceLocation: sourceLocation)
    }
}
