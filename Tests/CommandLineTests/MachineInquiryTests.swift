import CommandSupport
import LinuxSystem
import MachineProtocol
@testable import svmm
import Testing

@Suite("Machines that are asked how they are")
struct MachineInquiryTests {
    /// A directory of state directories, removed with all that is in it.
    private final class Runtime {
        let path = "/tmp/svmm-runtime-\(CurrentProcess.identifier)-\(UInt32.random(in: 0 ... .max))"

        init() throws { try makeDirectory(path, permissions: 0o700) }

        deinit { try? removeTree(path) }

        @discardableResult
        func makeState(_ name: String) throws -> String {
            try makeDirectories("\(path)/\(name)", permissions: 0o700)
            return "\(path)/\(name)/control.sock"
        }

        func place(_ name: String) -> MachinePlace { MachinePlace(name: name, kind: .machine, directory: "\(path)/\(name)") }

        /// A machine that listens, and does no more by itself.
        func listen(_ name: String, backlog: Int32 = 4) throws -> UnixListener {
            try UnixListener(path: try makeState(name), backlog: backlog)
        }

        func inquiry(_ name: String) throws -> MachineInquiry { try #require(try MachineInquiry.open(place(name))) }
    }

    private let runtime: Runtime

    init() throws { runtime = try Runtime() }

    /// One that passes waits for nothing: what is to be received has been sent.
    private static let patience: UInt64 = 60_000_000_000

    private static func send(_ bytes: [UInt8], over connection: borrowing FileDescriptor) {
        #expect(bytes.withUnsafeBytes { writeWhatFits(connection.raw, $0) } == bytes.count)
    }

    @Test("places are the directories with names of machines, containers' last")
    func places() throws {
        for name in ["web", "b.1", "a b", ".hidden", "containers/0123456789ab", "containers/-"] { try runtime.makeState(name) }
        let places = try MachinePlace.all(in: runtime.path)
        #expect(places.map(\.name) == ["b.1", "containers", "web", "0123456789ab"])
        #expect(places.map(\.kind) == [.machine, .machine, .machine, .container])
        #expect(places.last?.control == runtime.path + "/containers/0123456789ab/control.sock")
        #expect(try MachinePlace.all(in: runtime.path + "/none") == [])
    }

    @Test("what no machine listens at is none, whatever it is")
    func leftovers() throws {
        let path = try runtime.makeState("killed")
        do {
            let listener = try runtime.listen("other")
            try renameFile(runtime.place("other").control, to: path)
            #expect(try MachineInquiry.open(runtime.place("killed")) != nil)
            withExtendedLifetime(listener) {}
        }
        #expect(try fileStatus(at: path).kind == .socket)
        try replaceFile(try runtime.makeState("file"), with: [], permissions: 0o600)
        for name in ["killed", "other", "file", "none", String(repeating: "x", count: 200)] {
            #expect(try MachineInquiry.open(runtime.place(name)) == nil, "\(name)")
        }
    }

    @Test("an answer is taken in whatever pieces it comes")
    func answer() throws {
        var statistics = MachineStatistics()
        for number in 0..<500 { statistics.add("a_figure_with_a_long_name_\(number)", .max) }
        statistics.add("paused", 0)
        let listener = try runtime.listen("web")
        let inquiry = try runtime.inquiry("web")
        let connection = try listener.accept()
        Self.send(ControlReply.statistics(statistics).frame, over: connection)
        MachineInquiry.ask([inquiry], within: Self.patience)
        let machine = try #require(ListedMachine(inquiry))
        #expect((machine.name, machine.state, machine.process) == ("web", .running, UInt64(CurrentProcess.identifier)))
        #expect(machine.statistics == statistics)
        // What it was asked.
        let request = ControlRequest.statistics.frame
        var asked = [UInt8](repeating: 0, count: request.count + 1)
        #expect(try asked.withUnsafeMutableBytes { try connection.read(into: $0) } == request.count)
        #expect(Array(asked.dropLast()) == request)
    }

    @Test("machines that do not answer, or take no more clients, are unresponsive, and hold up no others")
    func silent() throws {
        let web = try runtime.listen("web")
        let silent = try runtime.listen("silent")
        let full = try runtime.listen("full", backlog: 0)
        // Of those that wait already, the last one finds no room.
        let waiting = try (0..<8).map { _ in try runtime.inquiry("full") }
        #expect(waiting.last?.process == nil)
        let inquiries = try [runtime.inquiry("silent"), runtime.inquiry("full"), runtime.inquiry("web")]
        let connection = try web.accept()
        Self.send(ControlReply.statistics(MachineStatistics()).frame, over: connection)
        MachineInquiry.ask(inquiries, within: 50_000_000)
        let machines = inquiries.compactMap { ListedMachine($0) }
        #expect(machines.map(\.state) == [.unresponsive, .unresponsive, .stopped])
        #expect(machines.map(\.process) == [UInt64(CurrentProcess.identifier), nil, UInt64(CurrentProcess.identifier)])
        withExtendedLifetime(waiting) {}
        _ = (silent.raw, full.raw)
    }

    @Test("a machine that ends meanwhile is no longer listed")
    func gone() throws {
        let listener = try runtime.listen("web")
        let inquiry = try runtime.inquiry("web")
        do { _ = try listener.accept() }
        MachineInquiry.ask([inquiry], within: Self.patience)
        #expect(ListedMachine(inquiry) == nil)
    }

    @Test("an answer of another version, or none at all, makes a machine unresponsive", arguments: [
        ControlReply.failed("not a request of this version").frame, ControlReply.done.frame, [255, 255, 255, 255], [0, 0, 0, 0],
        [1, 0, 0, 0, 9],
    ])
    func garbled(bytes: [UInt8]) throws {
        let listener = try runtime.listen("web")
        let inquiry = try runtime.inquiry("web")
        let connection = try listener.accept()
        Self.send(bytes, over: connection)
        MachineInquiry.ask([inquiry], within: Self.patience)
        #expect(ListedMachine(inquiry)?.state == .unresponsive)
        withExtendedLifetime(connection) { _ in }
    }

    @Test("other commands find a container's machine by the name that is listed, where no machine has it")
    func runningDirectory() throws {
        func found(_ name: String) throws -> String { try MachineName.runningDirectory(name, in: runtime.path) }
        #expect(try found("web") == runtime.path + "/web")
        try replaceFile(try runtime.makeState("containers/web"), with: [], permissions: 0o600)
        #expect(try found("web") == runtime.path + "/containers/web")
        try replaceFile(try runtime.makeState("web"), with: [], permissions: 0o600)
        #expect(try found("web") == runtime.path + "/web")
        #expect(try found("./web/") == "./web")
        #expect(throws: Expected.self) { try found("a b") }
    }
}
