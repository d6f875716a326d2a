import ConformanceC
import Glibc

/// Where a case's process says what it found: the writing end of a pipe.
nonisolated(unsafe) var findings: Int32 = -1

/// How a case's process ends.
enum Verdict: Int32 {
    case passed = 0
    case failed = 1
    case notApplicable = 2
}

/// Ends the case: what follows would build on what is not there.
func fail(_ words: String) -> Never {
    end(.failed, words)
}

/// Ends the case: the file system, or the user who runs this, does not have what the case is about.
func notApplicable(_ reason: String) -> Never {
    end(.notApplicable, reason)
}

private func end(_ verdict: Verdict, _ words: String) -> Never {
    var words = words
    words.withUTF8 { _ = write(findings, $0.baseAddress, $0.count) }
    _exit(verdict.rawValue)
}

func errorName(_ code: Int32) -> String {
    fc_error_name(code).map { String(cString: $0) } ?? "errno \(code)"
}

/// The result of a call that has to succeed.
@discardableResult
func ok<Result: SignedInteger>(_ call: String, _ result: Result) -> Result {
    if result < 0 { fail("\(call): expected success, found \(errorName(fc_errno()))") }
    return result
}

/// For a call that has to fail in one of these ways.
func refused<Result: SignedInteger>(_ codes: Int32..., by call: String, _ result: Result) {
    let code = fc_errno()
    let expected = codes.map(errorName).joined(separator: " or ")
    if result >= 0 { fail("\(call): expected \(expected), found success") }
    if !codes.contains(code) { fail("\(call): expected \(expected), found \(errorName(code))") }
}

/// The result of a call that not every file system has: one that fails in one of these ways is refused cleanly.
@discardableResult
func supported<Result: SignedInteger>(_ call: String, unless codes: Int32..., result: Result) -> Result {
    let code = fc_errno()
    if result < 0, codes.contains(code) { notApplicable("\(call): \(errorName(code))") }
    if result < 0 { fail("\(call): expected success, found \(errorName(code))") }
    return result
}

func same<Value: Equatable>(_ what: String, _ found: Value, _ expected: Value) {
    if found != expected { fail("\(what): expected \(expected), found \(found)") }
}

/// As `same`, for contents too long to print.
func sameBytes(_ what: String, _ found: [UInt8], _ expected: [UInt8]) {
    if found == expected { return }
    if found.count != expected.count { fail("\(what): expected \(expected.count) bytes, found \(found.count)") }
    let place = zip(found, expected).enumerated().first { $0.element.0 != $0.element.1 }?.offset ?? 0
    fail("\(what): byte \(place): expected \(expected[place]), found \(found[place])")
}

func holds(_ what: String, _ condition: Bool) {
    if !condition { fail("expected that \(what)") }
}
