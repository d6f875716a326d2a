import ArgumentParser
import CommandSupport
import LinuxSystem
import MachineProtocol

struct VsockCommands: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "vsock",
        abstract: "Talk to sockets of a running machine.",
        subcommands: [Connect.self]
    )

    struct Connect: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Connect standard input and output to a port of a machine.",
            discussion: """
                Ends when the guest closes the connection; the end of standard input is passed on, and output that still comes \
                is shown. Exit status: 0, or 1 when there was no connection or it broke.
                """
        )

        @Argument(help: ArgumentHelp("Name or state directory of the machine.", valueName: "vm"))
        var machine: String

        @Argument(help: ArgumentHelp("Port that a program in the guest listens on.", valueName: "port"),
                  transform: { try number($0, in: VsockDescription.ports, unit: "") })
        var port: UInt32

        func run() throws {
            guard case .vsock(let endpoint) = try ControlConnection(to: machine).ask(.vsock) else { return }
            let connection = try VsockConnection(to: endpoint, port: port, of: machine)
            guard try connection.bridgeStandardStreams() else {
                throw ControlConnection.failure("\(machine), vsock port \(port): the connection broke")
            }
        }
    }
}
