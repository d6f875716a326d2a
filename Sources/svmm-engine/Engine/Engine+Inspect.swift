import CommandSupport
import LinuxSystem
import Registry

extension Engine {
    /// The `inspect` commands: prints all that is known of some things as JSON, or of each what a template asks for. Those that cannot be
    /// described are named, and make the command fail when the others have been printed.
    ///
    /// - Parameters:
    ///   - format: a template; `json` or nil for JSON.
    ///   - names: what is to be described.
    static func inspect(
        _ store: StoreOptions, format: String?, names: (Engine) async throws -> [String], _ describe: (Engine, String) async throws -> JSONValue
    ) async throws {
        let template = try asUsage { () throws(Expected) in
            try format.flatMap { text in text == "json" ? nil : text }.map { text throws(Expected) in try FieldTemplate(text) }
        }
        try await run(store) { engine in
            var objects: [JSONValue] = []
            var status: Int32 = 0
            for name in try await names(engine) {
                do {
                    objects.append(try await describe(engine, name))
                } catch {
                    status = report(error)
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
