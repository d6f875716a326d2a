import ArgumentParser
import CommandSupport
import Containers
import LinuxSystem
import Registry

struct EventsCommand: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "events", abstract: "Show what happens to containers, as it happens.",
        discussion: """
            Without --since only what comes. Filters: container, image, event and type, as event=die; several with one key: one of \
            them. Times are as with svmm container logs.
            """)

    @Option(help: ArgumentHelp("Also what has happened since.", valueName: "time"), transform: { try TimeOption.parse($0) })
    var since: UInt64?

    @Option(help: ArgumentHelp("End at this time.", valueName: "time"), transform: { try EventsCommand.end($0) })
    var until: UInt64?

    @Option(name: .shortAndLong, parsing: .singleValue, help: ArgumentHelp("Only such events.", valueName: "key=value"))
    var filter: [String] = []

    @Option(help: ArgumentHelp("json, or a template such as '{{.Time}} {{.Action}}'.", valueName: "json|template"))
    var format: String?

    @Flag(inversion: .prefixedNo, help: "Wait for what comes.")
    var stream = true

    @OptionGroup var store: StoreOptions

    /// As `TimeOption`, where a duration is one from now on.
    static func end(_ text: String) throws(Expected) -> UInt64 {
        if let milliseconds = try? Sizes.milliseconds(text), UInt64(text) == nil { return Clock.realTimeNanoseconds() + milliseconds * 1_000_000 }
        return try TimeOption.parse(text)
    }

    func prepare() throws { ignoreWriteSignals() }

    func run() async throws {
        let wanted = try asUsage { () throws(Expected) in try EventFilter(self.filter) }
        let template = try asUsage { () throws(Expected) in
            try format.flatMap { text in text == "json" ? nil : text }.map { text throws(Expected) in try FieldTemplate(text) }
        }
        var options = EventOptions()
        (options.since, options.until, options.follows) = (since, until, stream)
        let chosen = options
        try await Engine.run(store) { engine in
            for try await event in try await engine.runtime.events(chosen) where wanted.matches(event) {
                let line = try asUsage { () throws(Expected) in
                    format == "json" ? String(decoding: event.line, as: UTF8.self) : try template?.line(event.object) ?? event.text
                }
                guard StandardOutput.write(Array((line + "\n").utf8)) else { break }
            }
            return 0
        }
    }
}

/// `--filter` of events.
struct EventFilter: Sendable {
    private var values: [String: [String]] = [:]

    init(_ texts: [String]) throws(Expected) {
        for text in texts {
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 2, ["container", "image", "event", "type"].contains(parts[0]) else {
                throw Expected("KEY=VALUE with a KEY of container, image, event or type, found '\(text)'")
            }
            values[parts[0], default: []].append(parts[1])
        }
    }

    func matches(_ event: ContainerEvent) -> Bool {
        values.allSatisfy { key, values in
            values.contains { value in
                switch key {
                case "container": event.name == value || event.identifier.hasPrefix(value)
                case "image": event.image == value
                case "event": event.action == value
                default: value == "container"
                }
            }
        }
    }
}

extension ContainerEvent {
    /// For people.
    var text: String {
        let known = [("image", image), ("name", name)] + attributes.sorted { $0.key < $1.key }.filter { !$0.value.isEmpty }
        let facts = known.map { "\($0.0)=\($0.1)" }.joined(separator: ", ")
        return visible("\(Timestamp.text(time)) container \(action) \(identifier.prefix(12)) (\(facts))")
    }

    /// For templates.
    var object: JSONValue {
        .object([
            "Time": .string(Timestamp.text(time)), "Type": .string("container"), "Action": .string(action), "Status": .string(action),
            "ID": .string(identifier), "Name": .string(name), "Image": .string(image), "Attributes": .object(attributes.mapValues { .string($0) }),
        ])
    }
}
