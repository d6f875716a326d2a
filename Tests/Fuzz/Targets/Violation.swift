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
