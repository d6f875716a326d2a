import ArgumentParser
import CommandSupport
import LinuxSystem
import MachineProtocol

struct Snapshot: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Save a running machine into a directory.",
        discussion: """
            The guest stands still while its state and memory are written, and then goes on where it stood. Disks are not saved: what the \
            machine has written to them by then belongs to the snapshot, and has to be there, unchanged, when svmm restore lets it go on. \
            When saving fails, nothing is left of it, and the machine goes on.
            """
    )

    @Argument(help: ArgumentHelp("Name, state directory or control socket of the machine.", valueName: "vm"))
    var machine: String

    @Argument(help: ArgumentHelp("Directory to make for the snapshot.", valueName: "directory"))
    var directory: String

    @Flag(help: "End the machine when it is saved.")
    var stop = false

    @Option(help: ArgumentHelp("Save only what is different from this snapshot, which the machine was restored from and which has to stay.",
                               valueName: "directory"))
    var base: String?

    func run() throws {
        guard !directory.isEmpty else { throw ValidationError("DIRECTORY: expected one to make, found nothing") }
        let order = ControlRequest.snapshot(directory: try absolutePath(directory), base: try base.map { try absolutePath($0) }, stops: stop)
        _ = try ControlConnection(to: machine).ask(order, takesLong: true)
    }
}

struct Restore: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Let a saved machine go on.",
        discussion: """
            The machine goes on where svmm snapshot saved it, with new randomness and the right time; the snapshot stays as it is, for as \
            many machines as one likes. They read it for as long as they run. Each needs disks of its own, unless those are read-only, and a \
            name of its own. Exit statuses and signals are those of svmm boot; a guest that reboots is booted from its kernel.
            """
    )

    @Argument(help: ArgumentHelp("The snapshot.", valueName: "directory"))
    var directory: String

    @Option(parsing: .singleValue,
            help: ArgumentHelp("Disk in the place of the one that was saved: as many as there were, in their order; words as for svmm boot.",
                               valueName: "path[,option]..."),
            transform: { try DiskDescription(parsing: $0) })
    var disk: [DiskDescription] = []

    @Option(parsing: .singleValue,
            help: ArgumentHelp("Network in the place of the one that was saved: as many as there were, in their order.",
                               valueName: "backend[,word]…"),
            transform: { try NetworkDescription.parse($0) })
    var net: [NetworkDescription?] = []

    @Option(parsing: .singleValue,
            help: ArgumentHelp("Port of the host that leads into the guest by its user network, in the place of those that were saved.",
                               valueName: "[address:]host:guest[/tcp|/udp]"),
            transform: { try PublishedPort(parsing: $0) })
    var publish: [PublishedPort] = []

    @Option(help: ArgumentHelp("The machine's name. (default: that of the saved one)", valueName: "name"),
            transform: { try MachineName.check($0) })
    var name: String?

    @Option(help: ArgumentHelp("Directory for the machine's sockets. (default: by name)", valueName: "directory"))
    var state: String?

    @Option(help: ArgumentHelp("Console: stdio, file=PATH, unix=PATH or none. (default: as it was)", valueName: "where"),
            transform: { try ConsoleOption(parsing: $0) })
    var console: ConsoleOption?

    @Flag(help: "Read the memory in the background, before the guest needs it.")
    var prefault = false

    func run() throws {
        try Monitor.execute(try description(of: try SavedDescription.read(directory)))
    }

    /// The saved machine's, with what is different now.
    private func description(of saved: MachineDescription) throws -> MachineDescription {
        var machine = saved
        machine.restore = RestoreDescription(directory: try absolutePath(directory), prefault: prefault)
        machine.disks = try disks(saved.disks)
        machine.interfaces = try interfaces(saved.interfaces)
        machine.name = name ?? saved.name
        machine.stateDirectory = try stateDirectory(saved)
        if let console {
            guard console.model == saved.consoleModel || console.model == .serial else {
                throw ValidationError("--console …,device=virtio: the saved machine has a serial console, expected the place alone")
            }
            machine.console = console.place
        }
        return machine
    }

    private func disks(_ saved: [DiskDescription]) throws -> [DiskDescription] {
        if disk.isEmpty { return saved }
        guard disk.count == saved.count else {
            throw ValidationError("--disk given \(disk.count) times: the saved machine has \(saved.count) disks, expected as many, or none to keep them")
        }
        return zip(disk, saved).map { disk, saved in
            var disk = disk
            // What the guest knows of it stays.
            disk.serial = disk.serial ?? saved.serial
            disk.queueCount = disk.queueCount ?? saved.queueCount
            disk.isPlaceholder = disk.isPlaceholder || saved.isPlaceholder
            return disk
        }
    }

    private func interfaces(_ saved: [NetworkDescription]) throws -> [NetworkDescription] {
        var networks = saved
        // The saved one's ports may be its own still.
        if net.isEmpty, !publish.isEmpty {
            for index in networks.indices {
                guard case .user(var user) = networks[index].backend else { continue }
                user.published = []
                networks[index].backend = .user(user)
            }
        }
        do throws(Expected) {
            if !net.isEmpty || !publish.isEmpty {
                networks = try [NetworkDescription].combine(net.isEmpty ? networks : net, published: publish)
            }
        } catch {
            throw ValidationError("--net: \(error)")
        }
        guard networks.count == saved.count else {
            throw ValidationError("--net given for \(networks.count) interfaces: the saved machine has \(saved.count), expected as many, or none to keep them")
        }
        for index in networks.indices {
            // What the guest knows of it stays.
            networks[index].mac = networks[index].mac ?? saved[index].mac
            networks[index].mtu = networks[index].mtu ?? saved[index].mtu
            if networks[index].queueCount == 1 { networks[index].queueCount = saved[index].queueCount }
        }
        return networks
    }

    private func stateDirectory(_ saved: MachineDescription) throws -> String? {
        if let state { return try MachineName.stateDirectory(option: state) }
        if let name { return MachineName.runtimeDirectory + "/" + name }
        return saved.name != nil ? saved.stateDirectory : saved.stateDirectory.map { _ in MachineName.runtimeDirectory + "/" + MachineName.automatic }
    }
}
