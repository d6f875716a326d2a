import CommandSupport
import Containers

/// `--filter KEY=VALUE` of `svmm container ls` and `prune`.
struct ContainerFilter: Sendable {
    private let filter: KeyedFilter

    init(_ texts: [String]) throws(Expected) {
        let keys = ["id", "name", "status", "label", "ancestor", "exited", "health"]
        filter = try KeyedFilter(texts, keys: keys) { key, value, text throws(Expected) in
            if key == "status", ContainerSnapshot.State(rawValue: value) == nil {
                let names = ContainerSnapshot.State.allCases.map(\.rawValue).joined(separator: ", ")
                throw Expected("status= and one of \(names), found '\(text)'")
            }
        }
    }

    /// Whether containers that do not run are meant, too.
    var asksForState: Bool { filter.has("status") || filter.has("exited") }

    func matches(_ snapshot: ContainerSnapshot) -> Bool {
        let record = snapshot.record
        return filter.matches { key, value in
            switch key {
            case "id": record.identifier.hasPrefix(value)
            case "name": record.name.contains(value)
            case "status": snapshot.state.rawValue == value
            case "ancestor": record.image == value || record.digest == value || record.image.hasPrefix(value + ":")
            case "exited": snapshot.state == .exited && snapshot.status.map { "\($0.exitStatus)" == value } ?? false
            case "health": snapshot.status.map { "\($0.health)" == value } ?? (value == "none")
            default: KeyedFilter.matches(record.configuration.labels, label: value)
            }
        }
    }
}
