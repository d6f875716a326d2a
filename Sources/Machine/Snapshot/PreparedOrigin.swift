import GuestMemory
import LinuxSystem
import MachineProtocol
import Snapshot
import Synchronization

/// The snapshot that a machine is to come from: read and checked before there is any machine. For the first machine only: when its guest
/// reboots, the next one boots.
final class PreparedOrigin: Sendable {
    let restore: RestoreDescription
    let state: SavedMachine
    private let chain: SnapshotChain
    private let isUsed = Mutex(false)

    /// nil for a template that cannot be used: it is removed, with a word about it, and the machine boots.
    static func open(
        _ restore: RestoreDescription, _ description: MachineDescription, _ layout: RAMLayout
    ) throws(MachineError) -> PreparedOrigin? {
        do throws(MachineError) {
            return try PreparedOrigin(restore, description, layout)
        } catch {
            guard restore.isTemplate else { throw error }
            giveUp(restore.directory, error)
            return nil
        }
    }

    /// A machine cannot come from a template: that is removed, unless something else is to blame, such as a limit of the host's.
    static func giveUp(_ directory: String, _ error: MachineError) {
        if error.concernsSnapshot { return dropTemplate(directory, because: "\(error)") }
        printErrorLine("svmm: template \(directory): \(error); the machine boots")
    }

    /// Gives a template up: whoever has it mapped keeps what is mapped.
    static func dropTemplate(_ directory: String, because reason: String) {
        printErrorLine("svmm: template \(directory): \(reason); it is removed, and the machine boots")
        try? removeTree(directory)
    }

    private init(_ restore: RestoreDescription, _ description: MachineDescription, _ layout: RAMLayout) throws(MachineError) {
        do throws(SnapshotError) {
            chain = try SnapshotChain(directory: restore.directory)
            // Nothing is built for a machine whose memory is missing or too short.
            _ = try chain.openMemory(size: layout.size)
            state = try SavedMachine(chain.newest)
        } catch {
            throw MachineError(snapshot: error)
        }
        guard state.processors.count == description.processorCount else {
            throw MachineError("\(chain.newest.statePath): \(state.processors.count) processors, expected the \(description.processorCount) of its machine's description", concernsSnapshot: true)
        }
        let devices = PreparedMachine.deviceCount(description)
        guard state.transports.count == devices else {
            throw MachineError("\(chain.newest.statePath): \(state.transports.count) devices were saved, the machine has \(devices) here; expected as many disks and interfaces as it had", concernsSnapshot: true)
        }
        self.restore = restore
    }

    /// Of its state, for messages.
    var path: String { chain.newest.statePath }

    /// Whether a machine has come from it already, or cannot.
    var isSpent: Bool { isUsed.withLock { $0 } }

    func spend() { isUsed.withLock { $0 = true } }

    /// The memory of the machine that comes from it, and what it takes to save that as a difference.
    func makeMemory(_ layout: RAMLayout) throws(MachineError) -> (memory: GuestMemory, origin: SnapshotOrigin?) {
        spend()
        do throws(SnapshotError) {
            let file = try chain.openMemory(size: layout.size)
            let memory: GuestMemory
            do throws(Errno) {
                memory = try GuestMemory(layout: layout, contents: file)
            } catch {
                throw SnapshotError.file(path: chain.newest.memoryPath, error)
            }
            try chain.applyDifferences(to: memory)
            return (memory, try? chain.origin())
        } catch {
            throw MachineError(snapshot: error)
        }
    }
}

extension MachineError {
    /// An error of a call to the system is not the snapshot's.
    init(snapshot error: SnapshotError) {
        let isSystems = if case .file = error { true } else { false }
        self.init("\(error)", concernsSnapshot: !isSystems)
    }
}
