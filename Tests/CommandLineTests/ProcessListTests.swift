import ArgumentParser
import LinuxSystem
import MachineProtocol
@testable import svmm
import Testing

@Suite("The list of machines")
struct ProcessListTests {
    @Test("ps is about machines, container ps about containers", arguments: [
        (["ps"], nil), (["ps", "-q"], nil), (["help", "ps"], nil), (["container", "ps"], ["container", "ps"]), (["ls"], ["ls"]),
    ] as [([String], [String]?)])
    func words(typed: [String], passed: [String]?) {
        #expect(svmm.Engine.arguments(for: typed) == passed)
    }

    @Test("it takes -q and a format", arguments: [
        (["ps"], false, .table), (["ps", "-q"], true, .table), (["ps", "--quiet", "--format", "json"], true, .json),
        (["ps", "--format=table"], false, .table),
    ] as [([String], Bool, ProcessList.Format)])
    func options(words: [String], isQuiet: Bool, format: ProcessList.Format) throws {
        let command = try #require(try SVMM.parseAsRoot(words) as? ProcessList)
        #expect((command.quiet, command.format) == (isQuiet, format))
    }

    @Test("and nothing else", arguments: [["-a"], ["vm"], ["--format"], ["--format", "yaml"], ["--format", "{{.Names}}"], ["--format", ""]])
    func badOptions(words: [String]) {
        #expect(throws: (any Error).self) { try SVMM.parseAsRoot(["ps"] + words) }
    }

    @Test("bytes are written in the units of --memory", arguments: [
        (0, "0 KiB"), (1023, "0 KiB"), (1 << 20 - 1, "1023 KiB"), (1 << 20, "1 MiB"), (3 << 19, "1.5 MiB"), (512 << 20, "512 MiB"),
        (104_805_171, "99.9 MiB"), (104_962_457, "100 MiB"), (1 << 30 - 1, "1023 MiB"), (5 << 29, "2.5 GiB"), (64 << 30, "64 GiB"),
        (.max, "17179869183 GiB"),
    ] as [(UInt64, String)])
    func bytes(bytes: UInt64, text: String) {
        #expect(FigureText.bytes(bytes) == text)
    }

    @Test("times are written in two units at most", arguments: [
        (0, "0 s"), (99_999_999, "0 s"), (100_000_000, "0.1 s"), (59_999_999_999, "59.9 s"), (60_000_000_000, "1 min 0 s"),
        (3_599_999_999_999, "59 min 59 s"), (3_600_000_000_000, "1 h 0 min"), (86_399_999_999_999, "23 h 59 min"),
        (97_200_000_000_000, "1 d 3 h"), (.max, "213503 d 23 h"),
    ] as [(UInt64, String)])
    func times(nanoseconds: UInt64, text: String) {
        #expect(FigureText.time(nanoseconds) == text)
    }

    private static func statistics(paused: UInt64?) -> MachineStatistics {
        var statistics = MachineStatistics()
        statistics.add("memory", 64 << 20)
        statistics.add("resident", 3 << 20)
        statistics.add("cpu_time_ns", 1_500_000_000)
        statistics.add("uptime_ns", 61_000_000_000)
        statistics.add("pid", 7)
        statistics.add("paused", paused)
        return statistics
    }

    private static let web = MachinePlace(name: "web", kind: .machine, directory: "/run/svmm/web")
    private static let container = MachinePlace(name: "0123456789ab", kind: .container, directory: "/run/svmm/containers/0123456789ab")

    @Test("a machine's state is what it says of its guest", arguments: [(0, .running), (1, .paused), (nil, .stopped)]
        as [(UInt64?, ListedMachine.State)])
    func state(paused: UInt64?, state: ListedMachine.State) {
        let machine = ListedMachine(Self.web, process: nil, statistics: Self.statistics(paused: paused))
        #expect((machine.state, machine.process) == (state, 7))
    }

    @Test("the table's columns are aligned, and have a dash for what is not known")
    func table() {
        #expect(ListedMachine.table([]) == ["NAME  KIND  STATE  PID  MEMORY  RESIDENT  PRIVATE  CPU TIME  UPTIME"])
        let machines = [
            ListedMachine(Self.web, process: 12345, statistics: Self.statistics(paused: 0)),
            ListedMachine(Self.container, process: nil, statistics: nil),
        ]
        #expect(ListedMachine.table(machines) == [
            "NAME          KIND       STATE           PID  MEMORY  RESIDENT  PRIVATE  CPU TIME     UPTIME",
            "web           machine    running       12345  64 MiB     3 MiB        -     1.5 s  1 min 1 s",
            "0123456789ab  container  unresponsive      -       -         -        -         -          -",
        ])
    }

    @Test("json is one array with figures in full, and null for what is not known")
    func json() {
        #expect(ListedMachine.array([]) == "[]")
        let machines = [
            ListedMachine(Self.web, process: 12345, statistics: Self.statistics(paused: 1)),
            ListedMachine(Self.container, process: nil, statistics: nil),
        ]
        #expect(ListedMachine.array(machines) == """
            [
              {"name": "web", "kind": "machine", "state": "paused", "pid": 12345, "memory": 67108864, "resident": 3145728, \
            "private_bytes": null, "cpu_time_ns": 1500000000, "uptime_ns": 61000000000},
              {"name": "0123456789ab", "kind": "container", "state": "unresponsive", "pid": null, "memory": null, "resident": null, \
            "private_bytes": null, "cpu_time_ns": null, "uptime_ns": null}
            ]
            """)
    }
}
