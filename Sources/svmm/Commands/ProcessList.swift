import ArgumentParser
import CommandSupport
import LinuxSystem

struct ProcessList: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ps", abstract: "List the running machines.",
        discussion: """
            Those of this user that have a name, and containers' machines, which are called by the container's id; svmm container ls \
            lists containers. RESIDENT is what the whole process takes of the host's memory at the moment, PRIVATE what of that is this \
            machine's alone, CPU TIME what the process has had, its guest included. A machine is stopped while its guest is being started \
            again, and unresponsive when it does not answer within two seconds. A paused container's machine runs.
            """
    )

    /// `--format`
    enum Format {
        case table
        case json

        init(parsing text: String) throws(Expected) {
            switch text {
            case "table": self = .table
            case "json": self = .json
            default: throw Expected("table or json")
            }
        }
    }

    @Flag(name: .shortAndLong, help: "Only names.")
    var quiet = false

    @Option(help: ArgumentHelp("How to print them; json has bytes and nanoseconds.", valueName: "table|json"),
            transform: { try Format(parsing: $0) })
    var format = Format.table

    /// How long machines have to answer, all at once: a guest may take half a second to say how its memory is doing, a busy host more.
    private static let patience: UInt64 = 2_000_000_000

    func run() throws {
        // A connection to each.
        CurrentProcess.raiseDescriptorLimit()
        let inquiries = try MachinePlace.all().compactMap { place in
            do throws(Errno) {
                return try MachineInquiry.open(place)
            } catch {
                throw ControlConnection.failure("\(place.control): \(error)")
            }
        }
        if quiet {
            for inquiry in inquiries { StandardOutput.print(inquiry.place.name) }
            return
        }
        MachineInquiry.ask(inquiries, within: Self.patience)
        let machines = inquiries.compactMap { ListedMachine($0) }
        switch format {
        case .table: for line in ListedMachine.table(machines) { StandardOutput.print(line) }
        case .json: StandardOutput.print(ListedMachine.array(machines))
        }
    }
}
