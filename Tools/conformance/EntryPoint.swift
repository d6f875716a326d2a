import ConformanceC
import Glibc

@main
struct Conformance {
    static func main() {
        fc_write_lines()
        let arguments = Array(CommandLine.arguments.dropFirst())
        if arguments.first == "lock-counter" { exit(countUnderLock(Array(arguments.dropFirst()))) }
        guard let options = Options(arguments) else {
            fc_complain(Options.usage)
            exit(2)
        }
        let all = Suite(options).cases
        if let pattern = options.only.first(where: { pattern in !all.contains { contains($0.name, pattern) } }) {
            // A run of nothing would pass.
            fc_complain("fs-conformance: --only \(pattern): no case has it in its name; --list prints the names")
            exit(2)
        }
        let cases = all.filter { options.includes($0.name) }
        if options.isList {
            for test in cases { print(test.name) }
            exit(0)
        }
        exit(run(cases, options) ? 0 : 1)
    }

    /// False when a case failed that should not, or passed that cannot.
    private static func run(_ cases: [Case], _ options: Options) -> Bool {
        var template = Array((options.directory + "/fs-conformance-XXXXXX").utf8CString)
        guard let made = mkdtemp(&template), let full = realpath(made, nil) else {
            fc_complain("fs-conformance: \(options.directory): \(errorName(fc_errno())); it has to be a directory to write to")
            return false
        }
        let root = String(cString: full)
        chmod(root, 0o755)
        let runner = Runner(root: root, patience: options.patience)
        var tally = Tally()
        for test in cases {
            let start = seconds()
            let outcome = runner.run(test)
            let limit = options.cache.flatMap { NineP.limit(of: test.name, $0) }
            tally.add(test.name, outcome, limit)
            if options.isVerbose { print("\(outcome.verdict) \(test.name) (\(Int((seconds() - start) * 1000)) ms)") }
        }
        if chdir("/") != 0 || !removeTree(root) { print("left behind: \(root)") }
        tally.printSummary()
        return tally.failed == 0
    }

    private static func seconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}

/// How many cases passed, and what the others said.
struct Tally {
    private var passed = 0
    private(set) var failed = 0
    /// Failures that a limit of 9p explains.
    private var limited = 0
    private var inapplicable: [String] = []

    mutating func add(_ name: String, _ outcome: Outcome, _ limit: NineP.Limit?) {
        switch (outcome.verdict, limit) {
        case (.passed, nil):
            passed += 1
        case (.passed, let limit?):
            failed += 1
            print("UNEXPECTED PASS \(name): \(limit.reason)")
        case (.notApplicable, _):
            inapplicable.append("\(name): \(outcome.words)")
        case (.failed, let limit?) where limit.finding == outcome.words:
            limited += 1
        case (.failed, _):
            failed += 1
            print("FAILED \(name): \(outcome.words)")
        }
    }

    func printSummary() {
        for line in inapplicable { print("not applicable: \(line)") }
        let limits = limited == 0 ? "" : ", \(limited) failed as 9p has to"
        print("\(passed) passed, \(failed) failed, \(inapplicable.count) not applicable\(limits)")
    }
}
