import ArgumentParser
import CommandSupport
import Containers
import LinuxSystem
import Registry

struct ContainerInspect: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect", abstract: "Show everything about containers, as JSON.")

    @Option(name: .shortAndLong, help: ArgumentHelp("A template in place of JSON, such as '{{.State.Status}}'.", valueName: "template"))
    var format: String?

    @OptionGroup var store: StoreOptions

    @Argument(help: ArgumentHelp("Containers.", valueName: "container"))
    var containers: [String]

    func run() async throws {
        let template = try asUsage { () throws(Expected) in
            try format.flatMap { text in text == "json" ? nil : text }.map { text throws(Expected) in try FieldTemplate(text) }
        }
        try await Engine.run(store) { engine in
            var objects: [JSONValue] = []
            var status: Int32 = 0
            for container in containers {
                do {
                    let snapshot = try await engine.runtime.inspect(container)
                    let volumes = await engine.runtime.volumePaths(snapshot.record)
                    objects.append(snapshot.details(directory: engine.runtime.directory(snapshot.record), volumes: volumes))
                } catch {
                    status = Engine.report(error)
                }
            }
            if let template {
                for object in objects { printLine(try asUsage { () throws(Expected) in try template.line(object) }) }
            } else {
                printLine(JSONValue.array(objects).prettyText)
            }
            return status
        }
    }
}
