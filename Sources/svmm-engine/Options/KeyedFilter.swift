import CommandSupport

/// `--filter KEY=VALUE`, any number of times. Several with the same key: one of them; with different keys: all of them.
struct KeyedFilter: Sendable {
    private var values: [String: [String]] = [:]

    /// - Parameter check: throws for a value that its key cannot have; called with key, value and both as they were typed.
    init(_ texts: [String], keys: [String], _ check: (String, String, String) throws(Expected) -> Void) throws(Expected) {
        for text in texts {
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 2, keys.contains(parts[0]) else {
                throw Expected("KEY=VALUE with a KEY of \(keys.joined(separator: ", ")), found '\(text)'")
            }
            try check(parts[0], parts[1], text)
            values[parts[0], default: []].append(parts[1])
        }
    }

    func has(_ key: String) -> Bool { values[key] != nil }

    /// - Parameter matches: whether something has what a key's value asks for.
    func matches(_ matches: (_ key: String, _ value: String) -> Bool) -> Bool {
        values.allSatisfy { key, values in values.contains { matches(key, $0) } }
    }

    /// `label=KEY` or `label=KEY=VALUE`.
    static func matches(_ labels: [String: String], label: String) -> Bool {
        let parts = label.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard let found = labels[parts[0]] else { return false }
        return parts.count < 2 || found == parts[1]
    }
}
