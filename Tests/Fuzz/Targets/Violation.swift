import Glibc
import LinuxSystem

/// Something that must never happen has happened: ends the process so that fuzzers and tests notice.
public func violation(_ what: String) -> Never {
    printErrorLine("\(Violation.target): \(what)")
    abort()
}

/// - Parameter what: evaluated when the condition is false only.
func require(_ condition: Bool, _ what: @autoclosure () -> String) {
    if !condition { violation(what()) }
}

/// Says what is done, where SVMM_FUZZ_TRACE is set: for whoever looks at an input that was found.
func trace(_ what: @autoclosure () -> String) {
    if isTracing { printErrorLine("  \(what())") }
}

private let isTracing = getenv("SVMM_FUZZ_TRACE") != nil
