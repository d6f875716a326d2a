import ArgumentParser
import CommandSupport
import Containers
import LinuxSystem
import Registry

struct VolumeList: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "ls", abstract: "List volumes.",
        discussion: """
            Filters: name, label, type, dangling and anonymous, as dangling=true for those that no container uses. A template has fields in \
            it, as '{{.Name}} {{.Type}}'; --format json shows which there are.
            """,
        aliases: ["list"])

    @Option(name: .shortAndLong, parsing: .singleValue, help: ArgumentHelp("Only such volumes.", valueName: "key=value"))
    var filter: [String] = []

    @Flag(name: .shortAndLong, help: "Only names.")
    var quiet = false

    @Flag(name: .shortAndLong, help: "Print no heading.")
    var noheading = false

    @Option(help: ArgumentHelp("How to print them.", valueName: "table|json|template"), transform: { try ListFormat(parsing: $0) })
    var format = ListFormat.table

    @OptionGroup var store: StoreOptions

    func run() async throws {
        let chosen = try asUsage { () throws(Expected) in try VolumeFilter(self.filter) }
        try await Engine.run(store) { engine in
            let volumes = try await engine.runtime.volumes { printErrorLine("svmm: \($0)") }.filter(chosen.matches)
            if quiet {
                for found in volumes { printLine(found.volume.name) }
                return 0
            }
            var objects: [JSONValue] = []
            for found in volumes { objects.append(found.details(usage: await engine.runtime.diskUsage(found.volume))) }
            let lines = try asUsage { () throws(Expected) in try format.lines(objects, columns: Self.columns, hasHeading: !noheading) }
            for line in lines { printLine(line) }
            return 0
        }
    }

    private static let columns = [("NAME", "Name"), ("TYPE", "Type"), ("SIZE", "Capacity"), ("USED", "Usage"), ("CONTAINERS", "Containers")]
        .map { (heading: $0.0, field: $0.1) }
}

struct VolumeInspect: EngineCommand {
    static let configuration = CommandConfiguration(commandName: "inspect", abstract: "Show everything about volumes, as JSON.")

    @Option(name: .shortAndLong, help: ArgumentHelp("A template in place of JSON, such as '{{.Mountpoint}}'.", valueName: "template"))
    var format: String?

    @Flag(name: .shortAndLong, help: "All volumes.")
    var all = false

    @OptionGroup var store: StoreOptions

    @Argument(help: ArgumentHelp("Volumes.", valueName: "volume"))
    var names: [String] = []

    func run() async throws {
        guard all != !names.isEmpty else {
            throw ValidationError(all ? "--all with volumes' names: expected one of them" : "expected a volume's name, or --all")
        }
        let template = try asUsage { () throws(Expected) in
            try format.flatMap { text in text == "json" ? nil : text }.map { text throws(Expected) in try FieldTemplate(text) }
        }
        try await Engine.run(store) { engine in
            var objects: [JSONValue] = []
            var status: Int32 = 0
            for name in all ? try await engine.runtime.volumes().map(\.volume.name) : names {
                do {
                    let found = try await engine.runtime.inspectVolume(name)
                    objects.append(found.details(usage: await engine.runtime.diskUsage(found.volume)))
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

/// `--filter KEY=VALUE` of `svmm volume ls` and `prune`. Several with the same key: one of them; with different keys: all of them.
struct VolumeFilter: Sendable {
    private var values: [String: [String]] = [:]

    private static let keys = ["name", "label", "type", "dangling", "anonymous"]

    init(_ texts: [String]) throws(Expected) {
        for text in texts {
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 2, Self.keys.contains(parts[0]) else {
                throw Expected("KEY=VALUE with a KEY of \(Self.keys.joined(separator: ", ")), found '\(text)'")
            }
            if parts[0] == "dangling" || parts[0] == "anonymous" {
                guard ["true", "false"].contains(parts[1]) else { throw Expected("\(parts[0])=true or false, found '\(text)'") }
            }
            if parts[0] == "type" {
                guard VolumeKind(rawValue: parts[1]) != nil else { throw Expected("type=ext4 or type=9p, found '\(text)'") }
            }
            values[parts[0], default: []].append(parts[1])
        }
    }

    func matches(_ found: VolumeSnapshot) -> Bool {
        values.allSatisfy { key, values in values.contains { matches(found, key, $0) } }
    }

    private func matches(_ found: VolumeSnapshot, _ key: String, _ value: String) -> Bool {
        switch key {
        case "name": return found.volume.name.contains(value)
        case "type": return found.volume.kind.rawValue == value
        case "dangling": return found.users.isEmpty == (value == "true")
        case "anonymous": return found.volume.isAnonymous == (value == "true")
        default:
            let parts = value.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard let label = found.volume.labels[parts[0]] else { return false }
            return parts.count < 2 || label == parts[1]
        }
    }
}

extension VolumeSnapshot {
    /// For `ls` and `inspect`, with podman's names and some of svmm's own.
    ///
    /// - Parameter usage: bytes of the host's disk.
    func details(usage: UInt64) -> JSONValue {
        var options: [String: JSONValue] = ["type": .string(volume.kind.rawValue)]
        if let size = volume.size { options["size"] = .string("\(size)") }
        return .object([
            "Name": .string(volume.name),
            "Driver": .string("local"),
            "Type": .string(volume.kind.rawValue),
            "Mountpoint": .string(volume.path),
            "CreatedAt": .string(Timestamp.text(volume.created)),
            "Labels": .object(volume.labels.mapValues { .string($0) }),
            "Scope": .string("local"),
            "Options": .object(options),
            "Anonymous": .bool(volume.isAnonymous),
            "MountCount": .integer(Int64(users.count)),
            "Containers": .array(users.map { .string($0) }),
            "Capacity": .string(volume.size.map { ByteCount.text($0) } ?? ""),
            "Size": .integer(Int64(clamping: volume.size ?? 0)),
            "Usage": .string(ByteCount.text(usage)),
            "UsageBytes": .integer(Int64(clamping: usage)),
        ])
    }
}
