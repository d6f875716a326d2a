/// What exec looks at when a program is named without a slash.
public enum CommandSearch {
    /// What podman and Docker take when an image says nothing.
    public static let defaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

    /// The value of NAME=VALUE in an environment; the last one counts.
    public static func value(of name: StaticString, in environment: [[UInt8]]) -> [UInt8]? {
        let start = Array(UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)) + [UInt8(ascii: "=")]
        guard let entry = environment.last(where: { $0.starts(with: start) }) else { return nil }
        return Array(entry.dropFirst(start.count))
    }

    /// The paths to try, in order. An empty part of PATH means the working directory.
    public static func candidates(_ program: [UInt8], path: [UInt8]) -> [[UInt8]] {
        guard !program.isEmpty else { return [] }
        let slash = UInt8(ascii: "/")
        if program.contains(slash) { return [program] }
        return path.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false).map { part in
            part.isEmpty ? [UInt8(ascii: "."), slash] + program : Array(part) + [slash] + program
        }
    }
}
