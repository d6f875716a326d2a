import ArgumentParser
import CommandSupport
import Containers
import LinuxSystem
import OCI
import Registry

struct SystemCommands: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "system", abstract: "Show and tidy what svmm has on this machine.",
        subcommands: [SystemInfo.self, SystemDiskUsage.self, SystemWarm.self, SystemPrune.self])
}

struct SystemInfo: EngineCommand {
    static let configuration = CommandConfiguration(commandName: "info", abstract: "Show with what containers are run.")

    @Option(name: .shortAndLong, help: ArgumentHelp("json, or a template.", valueName: "json|template"))
    var format: String?

    @OptionGroup var store: StoreOptions

    func run() async throws {
        try await Engine.run(store) { engine in
            let object = try await Self.facts(engine)
            guard let format, format != "json" else {
                printLine(object.prettyText)
                return 0
            }
            printLine(try asUsage { () throws(Expected) in try FieldTemplate(format).line(object) })
            return 0
        }
    }

    private static func facts(_ engine: Engine) async throws -> JSONValue {
        let containers = try await engine.runtime.list()
        func count(_ state: ContainerSnapshot.State) -> JSONValue { .integer(Int64(containers.filter { $0.state == state }.count)) }
        var programs: [String: JSONValue] = [:]
        do throws(ContainerError) {
            let found = try EnginePrograms.find()
            programs = ["Monitor": .string(found.monitor), "Kernel": .string(found.kernel), "Agent": .string(found.agent)]
        } catch {
            programs = ["Error": .string("\(error)")]
        }
        let kvm: JSONValue
        do throws(Errno) {
            _ = try FileDescriptor.open("/dev/kvm", .readWrite)
            kvm = .string("usable")
        } catch {
            kvm = .string("/dev/kvm: \(error)")
        }
        let flags = String(decoding: contents(ofSmallFile: "/proc/cpuinfo") ?? [], as: UTF8.self)
        return .object([
            "Version": .string(versionText),
            "Root": .string(engine.root),
            "RunRoot": .string(ContainerRuntime.defaultRuntimeDirectory),
            "Programs": .object(programs),
            "KVM": kvm,
            "HardwareVirtualization": .bool(flags.contains(" vmx") || flags.contains(" svm")),
            "CPUs": .integer(Int64(onlineProcessorCount())),
            "Networks": .string(CurrentProcess.user == 0 ? findProgram("nft") ?? "nftables is not installed: no networks but user and none" : "root only"),
            "UserNetwork": .string(findProgram("passt") ?? "passt is not installed: containers have no network"),
            "Defaults": .object([
                "Memory": .integer(Int64(ContainerDefaults.memory)), "CPUs": .integer(Int64(min(onlineProcessorCount(), ContainerDefaults.processors))),
                "StopTimeout": .integer(Int64(ContainerDefaults.stopTimeout)),
            ]),
            "Containers": .object([
                "Total": .integer(Int64(containers.count)), "Running": count(.running), "Paused": count(.paused), "Exited": count(.exited),
                "Created": count(.created),
            ]),
            "Images": .integer(Int64(try engine.images.list().count)),
        ])
    }
}

struct SystemDiskUsage: EngineCommand {
    static let configuration = CommandConfiguration(commandName: "df", abstract: "Show what images, containers and volumes take of the disk.")

    @Flag(name: .shortAndLong, help: "Each container and volume.")
    var verbose = false

    @Option(help: ArgumentHelp("How to print them.", valueName: "table|json|template"), transform: { try ListFormat(parsing: $0) })
    var format = ListFormat.table

    @OptionGroup var store: StoreOptions

    func run() async throws {
        try await Engine.run(store) { engine in
            let containers = try await engine.runtime.list()
            let use = try ImageUse.find(root: engine.root)
            let images = try engine.images.list()
            let usage = try engine.images.usage()
            var sizes: [(ContainerSnapshot, UInt64)] = []
            for container in containers { sizes.append((container, await engine.runtime.diskUsage(container.record))) }
            var volumes: [(VolumeSnapshot, UInt64)] = []
            for found in try await engine.runtime.volumes() { volumes.append((found, await engine.runtime.diskUsage(found.volume))) }
            if verbose {
                var table = TextTable(["CONTAINER ID", "NAME", "IMAGE", "STATE", "SIZE"])
                for (container, size) in sizes {
                    table.add([container.record.shortIdentifier, container.record.name, container.record.image, container.state.rawValue,
                               ByteCount.text(size)])
                }
                for line in table.lines { printLine(line) }
                table = TextTable(["VOLUME NAME", "TYPE", "CONTAINERS", "SIZE"])
                for (found, size) in volumes {
                    table.add([found.volume.name, found.volume.kind.rawValue, "\(found.users.count)", ByteCount.text(size)])
                }
                printLine("")
                for line in table.lines { printLine(line) }
                return 0
            }
            func row(_ type: String, _ total: Int, _ active: Int, _ size: UInt64) -> JSONValue {
                .object(["Type": .string(type), "Total": .integer(Int64(total)), "Active": .integer(Int64(active)),
                         "Size": .string(ByteCount.text(size)), "Bytes": .integer(Int64(clamping: size))])
            }
            let objects = [
                row("Images", images.count, images.filter { !use.users(of: $0).isEmpty }.count, usage.blobs + usage.partials),
                row("Root file systems", Set(images.map { RootImage.Identifier($0.configuration) }).count,
                    Set(use.containers.compactMap(\.root)).count, usage.roots),
                row("Containers", containers.count, containers.filter(\.isRunning).count, sizes.reduce(0) { $0 + $1.1 }),
                row("Local Volumes", volumes.count, volumes.filter { !$0.0.users.isEmpty }.count, volumes.reduce(0) { $0 + $1.1 }),
            ]
            let columns = [("TYPE", "Type"), ("TOTAL", "Total"), ("ACTIVE", "Active"), ("SIZE", "Size")].map { (heading: $0.0, field: $0.1) }
            let lines = try asUsage { () throws(Expected) in try format.lines(objects, columns: columns, hasHeading: true) }
            for line in lines { printLine(line) }
            return 0
        }
    }
}

struct SystemPrune: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "prune", abstract: "Remove containers that do not run, images without a name, and the templates of containers' machines; with --volumes, volumes.")

    @Flag(name: .shortAndLong, help: "All images that no container uses.")
    var all = false

    @Flag(name: .shortAndLong, help: "Do not ask.")
    var force = false

    @Flag(help: "All volumes that no container uses, too.")
    var volumes = false

    @OptionGroup var store: StoreOptions

    func run() async throws {
        try await Engine.run(store) { engine in
            let images = all ? "all images that no container uses" : "all images without a name"
            let others = volumes ? ", all volumes that no container uses then, with all that is in them" : ""
            guard try force || Prompt.confirm("This removes all containers that do not run, \(images)\(others), and the templates that containers start from.") else { return 0 }
            var (removed, bytes) = try await engine.prune(try ContainerFilter([]))
            for identifier in removed { printLine(identifier) }
            if volumes {
                let pruned = try await engine.pruneVolumes(try VolumeFilter([]))
                for name in pruned.removed { printLine(name) }
                bytes += pruned.bytes
            }
            let use = try ImageUse.find(root: engine.root)
            for image in try engine.images.list() where (all || image.names.isEmpty) && use.users(of: image).isEmpty {
                if try engine.images.remove(image) { printLine(image.id.hex) }
            }
            let collected = try use.collectGarbage(in: engine.images)
            let templates = engine.runtime.removeTemplates()
            printLine("Total reclaimed space: \(ByteCount.text(bytes + collected.bytes + templates))")
            return 0
        }
    }
}
