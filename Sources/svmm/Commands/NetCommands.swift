import ArgumentParser
import CommandSupport
import MachineProtocol

struct NetCommands: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "net",
        abstract: "Change the network of a running machine.",
        subcommands: [Link.self]
    )

    struct Link: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Pull the cable of a network interface, or put it in.",
            discussion: "The guest sees its carrier go and come. Frames that are sent meanwhile are dropped."
        )

        @Argument(help: ArgumentHelp("Name or state directory of the machine.", valueName: "vm"))
        var machine: String

        @Argument(help: ArgumentHelp("The interface, from 0 in the order of --net.", valueName: "index"),
                  transform: { try number($0, in: 0...255, unit: "") })
        var index: Int

        @Argument(help: ArgumentHelp("up or down.", valueName: "state"),
                  transform: { argument in
                      guard argument == "up" || argument == "down" else { throw Expected("up or down") }
                      return argument
                  })
        var state: String

        func run() throws {
            _ = try ControlConnection(to: machine).ask(.setLink(interface: index, up: state == "up"))
        }
    }
}
