import Glibc
import LinuxSystem
import ProcessSupport
import TestSupport

/// A guest that checks itself all the time (Tools/guest/SelfCheck.swift) while it is saved and restored, again and again.
struct SnapshotChain {
    let place: SnapshotPlace
    var kernel = Kernel.vmlinux
    var processors = "1"
    var words = ""
    var options: [String] = []
    /// How often it is saved.
    let count: Int

    /// What has come of it.
    struct Outcome {
        /// Of all the guest's processes, as one text: what one has begun to say the next one ends.
        var console = ""
        let finished: Finished

        /// The numbers behind a word in the lines about rounds.
        func numbers(_ word: String) -> [Int] {
            Facts(console: console)["round"].compactMap { line in
                let words = "round=\(line)".split(separator: " ")
                return words.first { $0.hasPrefix(word + "=") }.flatMap { Int($0.drop { $0 != "=" }.dropFirst()) }
            }
        }

        /// What the guest, or its kernel, complains of.
        var complaints: [String] {
            let lines = console.split(whereSeparator: \.isNewline).map(String.init)
            // The kernel's warnings are judged one by one, below; its worst are on the console by themselves.
            let said = lines.filter { !$0.contains("guest: kmsg ") }.filter { line in
                ["FAIL", "BUG", "WARNING", "lockup", "stall", "hung", "Oops", "Call Trace"].contains { line.contains($0) }
            }
            return said + Facts(console: console).unexpectedWarnings
        }
    }

    /// How often the guest says that it has been through everything, before it is saved the next time.
    private static let roundsBetween = 3

    func start() throws -> ChildProcess {
        let disk = try place.directory.sparseFile("disk", size: 16 << 20)
        return try Guest("selfcheck", kernel: kernel, words: words,
                         ["--cpus", processors, "--disk", disk] + place.options() + options).process
    }

    func run() throws -> Outcome {
        var process = try start()
        var console = ""
        // What the next one needs: the snapshot that the machine has come from, and what that differs from.
        var kept: [String] = []
        for step in 0..<count {
            try process.output.wait(for: "guest: round ", times: Self.roundsBetween)
            let name = "s\(step)"
            let isDifference = step % 2 == 1
            console += try place.stop(process, as: name, base: isDifference ? kept.last : nil)
            process = try place.restore(name)
            if !isDifference {
                for old in kept { try removeTree(place.path(old)) }
                kept = []
            }
            kept.append(name)
        }
        return try finish(process, console)
    }

    /// Waits for rounds of the last process, and has the guest power off.
    func finish(_ process: ChildProcess, _ console: String) throws -> Outcome {
        try process.output.wait(for: "guest: round ", times: Self.roundsBetween)
        process.signal(SIGTERM)
        let finished = try Finished(process)
        return Outcome(console: console + finished.console, finished: finished)
    }
}
