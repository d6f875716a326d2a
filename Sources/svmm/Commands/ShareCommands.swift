import ArgumentParser
import CommandSupport
import LinuxSystem
import MachineProtocol

struct ShareCommands: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "share",
        abstract: "Change which directories a running machine sees.",
        subcommands: [Add.self, Remove.self, List.self]
    )

    struct Add: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Add a directory to a machine that was started with --share-root TAG.",
            discussion: "In the guest it appears as NAME below the place where TAG is mounted, at once."
        )

        @Argument(help: ArgumentHelp("Name or state directory of the machine.", valueName: "vm"))
        var machine: String

        @Argument(help: ArgumentHelp("What to share, and as what.", valueName: "hostdir:tag/name[,ro][,devices][,uidmap=…]"),
                  transform: { argument in
                      let share = try ShareDescription(parsing: argument)
                      guard share.name != nil else { throw Expected("HOSTDIR:TAG/NAME") }
                      return share
                  })
        var share: ShareDescription

        func run() throws {
            var share = share
            // The machine runs in a directory of its own.
            share.path = try absolutePath(share.path)
            _ = try ControlConnection(to: machine).ask(.addShare(share))
        }
    }

    struct Remove: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take a directory away from a machine.",
            discussion: "Files of it that the guest has open answer ESTALE from then on."
        )

        @Argument(help: ArgumentHelp("Name or state directory of the machine.", valueName: "vm"))
        var machine: String

        @Argument(help: ArgumentHelp("The share.", valueName: "tag/name"),
                  transform: { argument in
                      _ = try ShareDescription.sharePlace(argument)
                      return argument
                  })
        var share: String

        func run() throws {
            let (tag, name) = try ShareDescription.sharePlace(share)
            _ = try ControlConnection(to: machine).ask(.removeShare(tag: tag, name: name))
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the directories that a machine sees.")

        @Argument(help: ArgumentHelp("Name or state directory of the machine.", valueName: "vm"))
        var machine: String

        func run() throws {
            guard case .shares(let shares) = try ControlConnection(to: machine).ask(.listShares) else { return }
            for share in shares { printLine(share.optionText) }
        }
    }
}
