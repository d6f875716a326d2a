import CommandSupport
import LinuxSystem
import MachineProtocol

/// Where a machine of this user runs, or has left something.
struct MachinePlace: Equatable {
    enum Kind: String {
        case machine
        /// The machine of a container; its name is the container's id.
        case container
    }

    let name: String
    let kind: Kind
    /// Its state directory.
    let directory: String

    var control: String { directory + "/" + StateFiles.control }

    /// The places in the directory of named machines, containers' behind the others, both by name. What has no machine's name is none.
    static func all(in runtime: String = MachineName.runtimeDirectory) throws -> [MachinePlace] {
        try places(.machine, runtime) + places(.container, MachineName.containers(in: runtime))
    }

    private static func places(_ kind: Kind, _ folder: String) throws -> [MachinePlace] {
        let names: [String]
        do throws(Errno) {
            names = try LinuxSystem.names(inDirectory: folder)
        } catch {
            // No machine has ever run here.
            if error == .noEntry || error == .notDirectory { return [] }
            throw ControlConnection.failure("\(folder): \(error)")
        }
        return names.filter { (try? MachineName.check($0)) != nil }.sorted()
            .map { MachinePlace(name: $0, kind: kind, directory: folder + "/" + $0) }
    }
}
