import ArgumentParser
import MachineProtocol

struct Pause: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Have a running machine stand still.",
        discussion: """
            The guest executes nothing until svmm resume, and keeps its memory. Its clocks go on: when it runs again, time has passed. A \
            signal that asks for its shutdown lets it go on. Where no machine has this name, it is a container's: svmm container pause.
            """
    )

    @Argument(help: ArgumentHelp("Name or state directory of the machine.", valueName: "vm"))
    var machine: String

    func run() throws {
        _ = try ControlConnection(to: machine).ask(.pause)
    }
}

struct Resume: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Let a machine go on that stands still.")

    @Argument(help: ArgumentHelp("Name or state directory of the machine.", valueName: "vm"))
    var machine: String

    func run() throws {
        _ = try ControlConnection(to: machine).ask(.resume)
    }
}
