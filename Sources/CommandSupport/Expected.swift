import LinuxSystem

/// What an option's value should have been. ArgumentParser puts the option and the value before it.
package struct Expected: Error, CustomStringConvertible {
    package let description: String

    package init(_ text: String) {
        description = "expected " + text
    }
}

/// A number within bounds, for example of vCPUs or seconds.
package func number<Value: LosslessStringConvertible & Comparable>(
    _ argument: String, in range: ClosedRange<Value>, unit: String
) throws(Expected) -> Value {
    guard let value = Value(argument), range.contains(value) else {
        throw Expected("\(range.lowerBound) to \(range.upperBound)\(unit)")
    }
    return value
}

/// A path that means the same in every directory.
package func absolutePath(_ path: String) throws -> String {
    path.hasPrefix("/") ? path : try CurrentProcess.workingDirectory() + "/" + path
}
