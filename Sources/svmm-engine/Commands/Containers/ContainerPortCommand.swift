import ArgumentParser
import CommandSupport
import Containers
import LinuxSystem

struct ContainerPortCommand: EngineCommand {
    static let configuration = CommandConfiguration(commandName: "port", abstract: "List the published ports of containers.")

    @Flag(name: .shortAndLong, help: "Of all containers.")
    var all = false

    @OptionGroup var store: StoreOptions

    @Argument(help: ArgumentHelp("Container, and one of its ports.", valueName: "container [port[/tcp|/udp]]"))
    var words: [String] = []

    func validate() throws {
        guard all ? words.isEmpty : (1...2).contains(words.count) else {
            throw ValidationError(all ? "--all with '\(words.joined(separator: " "))': expected one of them" : "expected a container, and at most one of its ports")
        }
    }

    func run() async throws {
        let wanted = try asUsage { () throws(Expected) in try words.dropFirst().first.map { text throws(Expected) in try Self.port(text) } }
        try await Engine.run(store) { engine in
            if all {
                for snapshot in try await engine.runtime.list() {
                    for port in snapshot.record.configuration.ports { printLine("\(snapshot.record.shortIdentifier)\t\(Self.line(port))") }
                }
                return 0
            }
            let record = try await engine.runtime.inspect(words[0]).record
            guard let wanted else {
                for port in record.configuration.ports { printLine(Self.line(port)) }
                return 0
            }
            let found = record.configuration.ports.filter { ($0.container, $0.transport) == wanted }
            guard !found.isEmpty else {
                throw ContainerError(.invalid, "container \(record.name): port \(words[1]) is not published, expected one that svmm container port \(record.name) shows")
            }
            for port in found { printLine(Self.host(port)) }
            return 0
        }
    }

    private static func host(_ port: ContainerPort) -> String {
        let address = port.address ?? "0.0.0.0"
        return "\(address.contains(":") ? "[\(address)]" : address):\(port.host)"
    }

    private static func line(_ port: ContainerPort) -> String { "\(port.container)/\(port.transport.rawValue) -> \(host(port))" }

    private static func port(_ text: String) throws(Expected) -> (UInt16, ContainerPort.Transport) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard parts.count <= 2, let transport = parts.count == 2 ? ContainerPort.Transport(rawValue: parts[1]) : .tcp else {
            throw Expected("PORT, PORT/tcp or PORT/udp, found '\(text)'")
        }
        return (try number(parts[0], in: 1...UInt16.max, unit: ""), transport)
    }
}
