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
            do throws(WireError) {
                return try MachineDescription(decoding: try bytes(reader))
            } catch {
                throw SnapshotError.invalid(path: reader.statePath, .section(0, .description), "\(error); it was saved by another version of svmm")
            }
        } catch {
            throw ControlConnection.failure("\(error)")
        }
    }

    private static func bytes(_ reader: SnapshotReader) throws(WireError) -> [UInt8] {
        guard let bytes = try? reader.section(.description) else { throw .truncated(offset: 0) }
        return bytes
    }
}
