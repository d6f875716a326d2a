import ArgumentParser
import CommandSupport
import Containers
import LinuxSystem

struct VolumeCommands: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "volume", abstract: "Keep files that outlive the containers that use them.",
        subcommands: [VolumeCreate.self, VolumeList.self, VolumeInspect.self, VolumeResize.self, VolumeRemove.self, VolumePrune.self],
        aliases: ["volumes"])
}

struct VolumeCreate: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Make a volume.",
        discussion: """
            type=ext4, the default, is a disk of one container at a time, of the size given (default: 64g), that takes room as it is written \
            to. type=9p is a directory of the host that any number of containers share.
            """)

    @Option(name: [.customShort("o", allowingJoined: true), .customLong("opt")], parsing: .singleValue,
            help: ArgumentHelp("What it is to be: type=ext4 or type=9p, size=SIZE.", valueName: "key=value"))
    var opt: [String] = []

    @Option(name: [.customShort("l", allowingJoined: true), .long], parsing: .singleValue,
            help: ArgumentHelp("Label of the volume.", valueName: "key[=value]"))
    var label: [String] = []

    @Flag(help: "No error where there is a volume of that name.")
    var ignore = false

    @OptionGroup var store: StoreOptions

    @Argument(help: ArgumentHelp("Name of the volume. (default: 64 random digits)", valueName: "name"))
    var name: String?

    func run() async throws {
        let options = try asUsage { () throws(Expected) in try VolumeOptions(parsing: opt) } ?? VolumeOptions()
        let labels = try asUsage { () throws(Expected) in try EnvironmentOptions.pairs(label) }
        try await Engine.run(store) { engine in
            printLine(try await engine.runtime.createVolume(name, options, labels: labels, ignoresExisting: ignore).name)
            return 0
        }
    }
}

struct VolumeResize: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "resize", abstract: "Make a volume of type ext4 larger, also while a container uses it.")

    @Option(name: [.customShort("s", allowingJoined: true), .long],
            help: ArgumentHelp("Size of the whole, such as 20g.", valueName: "size"), transform: { try VolumeOptions.size($0) })
    var size: UInt64

    @OptionGroup var store: StoreOptions

    @Argument(help: ArgumentHelp("Volume.", valueName: "volume"))
    var name: String

    func run() async throws {
        try await Engine.run(store) { engine in
            printLine(try await engine.runtime.resizeVolume(name, to: size).name)
            return 0
        }
    }
}

struct VolumeRemove: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "rm", abstract: "Remove volumes, with all that is in them.", aliases: ["remove"])

    @Flag(name: .shortAndLong, help: "With the containers that use them, and no error for those that are not there.")
    var force = false

    @Flag(name: .shortAndLong, help: "All volumes.")
    var all = false

    @OptionGroup var store: StoreOptions

    @Argument(help: ArgumentHelp("Volumes.", valueName: "volume"))
    var names: [String] = []

    func run() async throws {
        guard all != !names.isEmpty else {
            throw ValidationError(all ? "--all with volumes' names: expected one of them" : "expected a volume's name, or --all")
        }
        try await Engine.run(store) { engine in
            let chosen = all ? try await engine.runtime.volumes().map(\.volume.name) : names
            return await Engine.forEach(chosen) { name in
                do {
                    try await engine.runtime.removeVolume(name, isForced: force)
                } catch let error as ContainerError where force && error.kind == .notFound {
                    return nil
                }
                return name
            }
        }
    }
}

struct VolumePrune: EngineCommand {
    static let configuration = CommandConfiguration(commandName: "prune", abstract: "Remove all volumes that no container uses.")

    @Flag(name: .shortAndLong, help: "Do not ask.")
    var force = false

    @Option(parsing: .singleValue, help: ArgumentHelp("Only such volumes, as with ls.", valueName: "key=value"))
    var filter: [String] = []

    @OptionGroup var store: StoreOptions

    func run() async throws {
        let chosen = try asUsage { () throws(Expected) in try VolumeFilter(self.filter) }
        try await Engine.run(store) { engine in
            guard try force || Prompt.confirm("This removes all volumes that no container uses, with all that is in them.") else { return 0 }
            let (removed, bytes) = try await engine.pruneVolumes(chosen)
            for name in removed { printLine(name) }
            printLine("Total reclaimed space: \(ByteCount.text(bytes))")
            return 0
        }
    }
}

extension Engine {
    /// Removes volumes that no container uses: their names, and the bytes of disk that they had.
    func pruneVolumes(_ filter: VolumeFilter) async throws -> (removed: [String], bytes: UInt64) {
        var removed: [String] = []
        var bytes: UInt64 = 0
        for found in try await runtime.volumes() where found.users.isEmpty && filter.matches(found) {
            let size = await runtime.diskUsage(found.volume)
            do throws(ContainerError) {
                try await runtime.removeVolume(found.volume.name)
            } catch {
                // Somebody was faster, or has begun to use it.
                guard error.kind == .notFound || error.kind == .wrongState else { throw error }
                continue
            }
            removed.append(found.volume.name)
            bytes += size
        }
        return (removed, bytes)
    }
}
