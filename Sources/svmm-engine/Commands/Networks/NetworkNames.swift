import ArgumentParser
import CommandSupport
import LinuxSystem
import NameService

/// The process that answers for the names of a network's containers, started by the engine. When questions are answered it says `ready` on
/// standard output, and lets go of its standard streams.
struct NetworkNames: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "network-names", abstract: "Answer for the names of a network's containers.", shouldDisplay: false)

    /// Shows in the list of processes whose it is; nothing else is done with it.
    @Option(help: ArgumentHelp("The network.", valueName: "id"))
    var network: String

    @Option(parsing: .singleValue, help: ArgumentHelp("Where to listen.", valueName: "address"), transform: { text in
        guard let address = InternetAddress(text) else { throw Expected("an address of IPv4 or IPv6, such as 10.0.0.1") }
        return address
    })
    var address: [InternetAddress]

    @Option(help: ArgumentHelp("Port to listen at.", valueName: "n"), transform: { try number($0, in: 1...65_535, unit: "") })
    var port: UInt16 = 53

    @Option(help: ArgumentHelp("Lines of a name and its addresses.", valueName: "path"), transform: { try absolutePath($0) })
    var names: String

    @Option(help: ArgumentHelp("Locked as long as names are served.", valueName: "path"), transform: { try absolutePath($0) })
    var lock: String

    @Option(help: ArgumentHelp("The domain of the names. (default: svmm.internal)", valueName: "name"), transform: { text in
        guard let name = DomainName(text) else { throw Expected("a domain name, such as svmm.internal") }
        return name
    })
    var domain: DomainName?

    @Flag(help: "Ask no resolver for names that are not known.")
    var noForward = false

    func run() throws {
        var configuration = NameServerConfiguration(addresses: address, names: names, domain: domain)
        (configuration.port, configuration.forwards) = (port, !noForward)
        try NameService.run(configuration, lock: lock) {
            LinuxSystem.printLine("ready")
            // Whoever waits for the end of a pipe is not kept by a process that stays.
            try? CurrentProcess.closeStandardStreams()
        }
    }
}
