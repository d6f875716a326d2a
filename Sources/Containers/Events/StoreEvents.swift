import ContainerRecords
import LinuxSystem

/// What happens to containers, for `svmm events`. The monitor tells of the rest.
enum StoreEvent: String, Sendable {
    case create, remove, rename
    /// Of a container whose monitor was killed.
    case die
}

extension ContainerStore {
    /// Adds a line to the event log. Nothing depends on it: a line that cannot be written is not.
    func note(_ event: StoreEvent, _ record: ContainerRecord, attributes: KeyValuePairs<String, String> = [:]) {
        EventLog(events, identifier: record.identifier, name: record.name, image: record.image, time: Clock.realTimeNanoseconds, note: { _ in })
            .add(event.rawValue, attributes)
    }
}
