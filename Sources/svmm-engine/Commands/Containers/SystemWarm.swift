import ArgumentParser
import CommandSupport
import Containers

struct SystemWarm: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "warm", abstract: "Make the template that containers start from, before the first one does.",
        discussion: """
            A template is for one kind of machine: give the options that the containers will have. The name of the template is printed; \
            one that is there already stays.
            """)

    @Option(name: [.customShort("m", allowingJoined: true), .long], help: ArgumentHelp("Memory, 64M to 64G. (default: 512M)", valueName: "size"),
            transform: { try ContainerOptions.memory($0) })
    var memory: UInt64?

    @Option(help: ArgumentHelp("CPUs, 1 to 64. (default: as many as the host has, at most 4)", valueName: "n"),
            transform: { try number($0, in: 1...64, unit: " whole CPUs") })
    var cpus: Int?

    @Option(name: [.long, .customLong("net")], parsing: .singleValue,
            help: ArgumentHelp("none, user for a network by passt, or a network's name. (default: user where passt is installed)", valueName: "network"))
    var network: [String] = []

    @Option(help: ArgumentHelp("Kernel to boot in place of svmm's own.", valueName: "path"),
            transform: { try ContainerOptions.kernel($0) })
    var kernel: String?

    @Flag(help: "For containers that see directories of the host.")
    var volumes = false

    @OptionGroup var store: StoreOptions

    func run() async throws {
        let connected = try asUsage { () throws(Expected) in try ContainerNetwork.parse(network) }
        try await Engine.run(store) { engine in
            var request = ContainerRequest(image: "")
            (request.memory, request.processors, request.network, request.kernel) = (memory, cpus, connected, kernel)
            printLine(try await engine.runtime.warm(request, hasShares: volumes).name)
            return 0
        }
    }
}
