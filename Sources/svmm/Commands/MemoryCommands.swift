import ArgumentParser
import LinuxSystem
import MachineProtocol

struct Balloon: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Set how much memory a running machine keeps.",
        discussion: """
            The guest gives the rest to its balloon, and so to the host, as far and as fast as it can; svmm stats shows how \
            far it is. It takes memory back when it would otherwise run out. The size lasts until it is set again, also over reboots.
            """
    )

    @Argument(help: ArgumentHelp("Name or state directory of the machine.", valueName: "vm"))
    var machine: String

    @Argument(help: ArgumentHelp("Memory to keep, at most what the machine was started with.", valueName: "size"),
              transform: { try MemorySize(parsing: $0) })
    var size: MemorySize

    func run() throws {
        _ = try ControlConnection(to: machine).ask(.setMemory(size.bytes))
    }
}

struct Stats: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show the memory and the CPU time of a running machine.",
        discussion: """
            memory is what the machine was started with, resident what the whole process takes of the host's memory at the \
            moment, private_bytes what of that is this machine's alone, balloon what the guest has given away of balloon_target. \
            cpu_time_ns is what the process has had, its guest included, uptime_ns how long it has been there, pid its number; paused is 1 \
            while the guest stands still. guest_... is what the guest says of itself, guest_age_ms milliseconds ago. All but times, counts \
            and these two are bytes.
            """
    )

    @Argument(help: ArgumentHelp("Name or state directory of the machine.", valueName: "vm"))
    var machine: String

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() throws {
        guard case .statistics(let statistics) = try ControlConnection(to: machine).ask(.statistics) else { return }
        for line in json ? [Self.object(statistics)] : Self.lines(statistics) { printLine(line) }
    }

    static func lines(_ statistics: MachineStatistics) -> [String] {
        statistics.figures.map { "\($0.name): \($0.value)" }
    }

    /// Names need no escapes: see `MachineStatistics.Figure`.
    static func object(_ statistics: MachineStatistics) -> String {
        "{" + statistics.figures.map { "\"\($0.name)\": \($0.value)" }.joined(separator: ", ") + "}"
    }
}
