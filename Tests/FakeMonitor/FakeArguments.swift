import ContainerProtocol
import LinuxSystem
import MachineProtocol

/// `--description FD --container FD --client FD --lock FD`, all of them, and perhaps `--ports FD`, which stay open.
struct FakeArguments {
    let machine: MachineDescription
    let container: ContainerDescription
    let client: Int32
    let lock: Int32

    init?(_ words: ArraySlice<String>) {
        var values: [String: Int32] = [:]
        var rest = words
        while let name = rest.popFirst() {
            guard let value = rest.popFirst().flatMap({ Int32($0) }) else { return nil }
            values[name] = value
        }
        values["--ports"] = nil
        guard values.count == 4, let description = values["--description"], let container = values["--container"],
              let client = values["--client"], let lock = values["--lock"] else { return nil }
        self.client = client
        self.lock = lock
        func read(_ raw: Int32) -> [UInt8]? {
            let file = FileDescriptor(owning: raw)
            return try? file.prefix(1 << 20)
        }
        guard let machineBytes = read(description), let machine = try? MachineDescription(decoding: machineBytes),
              let containerBytes = read(container), let description = try? ContainerDescription(decoding: containerBytes) else { return nil }
        self.machine = machine
        self.container = description
    }
}
