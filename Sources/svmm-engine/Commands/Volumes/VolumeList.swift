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
        try await Engine.inspect(store, format: format, names: { all ? try await $0.runtime.volumes().map(\.volume.name) : names }) { engine, name in
            let found = try await engine.runtime.inspectVolume(name)
            return found.details(usage: await engine.runtime.diskUsage(found.volume))
        }
    }
}

/// `--filter KEY=VALUE` of `svmm volume ls` and `prune`.
struct VolumeFilter: Sendable {
    private let filter: KeyedFilter

    init(_ texts: [String]) throws(Expected) {
        filter = try KeyedFilter(texts, keys: ["name", "label", "type", "dangling", "anonymous"]) { key, value, text throws(Expected) in
            if key == "dangling" || key == "anonymous" {
                guard ["true", "false"].contains(value) else { throw Expected("\(key)=true or false, found '\(text)'") }
            }
            if key == "type" {
                guard VolumeKind(rawValue: value) != nil else { throw Expected("type=ext4 or type=9p, found '\(text)'") }
            }
        }
    }

    func matches(_ found: VolumeSnapshot) -> Bool {
        filter.matches { key, value in
            switch key {
            case "name": found.volume.name.contains(value)
            case "type": found.volume.kind.rawValue == value
            case "dangling": found.users.isEmpty == (value == "true")
            case "anonymous": found.volume.isAnonymous == (value == "true")
            default: KeyedFilter.matches(found.volume.labels, label: value)
            }
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
