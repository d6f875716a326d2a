import ContainerProtocol
import LinuxSystem
import Machine
import MachineProtocol
import Wire

/// The numbers of open files on the command line.
struct Arguments {
    /// A machine's description.
    let machine: Int32
    /// A container's description; nil: the machine runs for itself.
    let container: Int32?
    /// A connected socket: the container's first client.
    let client: Int32?
    /// The container's lock file, locked.
    let lock: Int32?
    /// The first of the sockets that have the container's published ports; no descriptor follows them.
    let ports: Int32?

    /// nil when these are not the arguments that svmm passes.
    init?(_ words: ArraySlice<String>) {
        var numbers: [String: Int32] = [:]
        var rest = words
        while let name = rest.popFirst() {
            guard let value = rest.popFirst(), let number = Int32(value), number > 2, numbers[name] == nil,
                  !numbers.values.contains(number) else { return nil }
            numbers[name] = number
        }
        guard let machine = numbers.removeValue(forKey: "--description") else { return nil }
        self.machine = machine
        container = numbers.removeValue(forKey: "--container")
        client = numbers.removeValue(forKey: "--client")
        lock = numbers.removeValue(forKey: "--lock")
        ports = numbers.removeValue(forKey: "--ports")
        guard numbers.isEmpty, container != nil || client == nil && lock == nil && ports == nil else { return nil }
    }

    func readMachine() throws(MachineError) -> MachineDescription {
        do {
            return try MachineDescription(decoding: try Self.read(machine))
        } catch {
            throw MachineError("--description \(machine): not a machine description of this version: \(error)", status: ExitStatus.usage)
        }
    }

    static func readContainer(_ number: Int32) throws(MachineError) -> ContainerDescription {
        do {
            return try ContainerDescription(decoding: try read(number))
        } catch {
            throw MachineError("--container \(number): not a container's description of this version: \(error)", status: ExitStatus.usage)
        }
    }

    private static func read(_ number: Int32) throws(Errno) -> [UInt8] {
        let file = FileDescriptor(owning: number)
        return try file.prefix(Int(clamping: try file.status().size))
    }
}
