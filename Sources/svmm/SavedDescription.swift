import ArgumentParser
import LinuxSystem
import MachineProtocol
import Snapshot
import Wire

/// The description in a snapshot.
enum SavedDescription {
    /// Reads and checks the snapshot's state.
    static func read(_ directory: String) throws -> MachineDescription {
        do {
            let reader = try SnapshotReader(directory: directory)
            let bytes = try reader.section(.description)
            do throws(WireError) {
                return try MachineDescription(decoding: bytes)
            } catch {
                throw SnapshotError.invalid(path: reader.statePath, .section(0, .description), "\(error); it was saved by another version of svmm")
            }
        } catch {
            throw ControlConnection.failure("\(error)")
        }
    }
}
