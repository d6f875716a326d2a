import CommandSupport
import Containers

/// `--filter KEY=VALUE` of `svmm container ls` and `prune`. Several with the same key: one of them; with different keys: all of them.
struct ContainerFilter: Sendable {
    private var values: [String: [String]] = [:]

    private static let keys = ["id", "name", "status", "label", "ancestor", "exited", "health"]

    init(_ texts: [String]) throws(Expected) {
        for text in texts {
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 2, Self.keys.contains(parts[0]) else {
                throw Expected("KEY=VALUE with a KEY of \(Self.keys.joined(separator: ", ")), found '\(text)'")
            }
            if parts[0] == "status", ContainerSnapshot.State(rawValue: parts[1]) == nil {
                let names = ContainerSnapshot.State.allCases.map(\.rawValue).joined(separator: ", ")
                throw Expected("status= and one of \(names), found '\(text)'")
            }
            values[parts[0], default: []].append(parts[1])
        }
    }

    /// Whether containers that do not run are meant, too.
    var asksForState: Bool { values["status"] != nil || values["exited"] != nil }

    func matches(_ snapshot: ContainerSnapshot) -> Bool {
        values.allSatisfy { key, values in values.contains { matches(snapshot, key, $0) } }
    }

    private func matches(_ snapshot: ContainerSnapshot, _ key: String, _ value: String) -> Bool {
        let record = snapshot.record
        switch key {
        case "id": return record.identifier.hasPrefix(value)
        case "name": return record.name.contains(value)
        case "status": return snapshot.state.rawValue == value
        case "ancestor": return record.image == value || record.digest == value || record.image.hasPrefix(value + ":")
        case "exited": return snapshot.state == .exited && snapshot.status.map { "\($0.exitStatus)" == value } ?? false
        case "health": return snapshot.status.map { "\($0.health)" == value } ?? (value == "none")
        default:
            let parts = value.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard let found = record.configuration.labels[parts[0]] else { return false }
            return parts.count < 2 || found == parts[1]
        }
    }
}
