import ContainerProtocol
import MachineProtocol

/// Where the files of one container are.
struct ContainerPaths: Sendable {
    /// In the store.
    let directory: String
    /// In /run: sockets, for as long as the container runs.
    let runDirectory: String

    var lock: String { directory + "/" + ContainerFiles.lock }
    var status: String { directory + "/" + ContainerFiles.status }
    var log: String { directory + "/" + ContainerFiles.log }
    var console: String { directory + "/" + ContainerFiles.console }
    var monitorLog: String { directory + "/" + ContainerFiles.monitor }
    var writableDisk: String { directory + "/" + ContainerFiles.writableDisk }
    /// The names of the anonymous volumes that go with the container, one a line.
    var volumes: String { directory + "/volumes" }
    var socket: String { runDirectory + "/container.sock" }
    /// The longest name in the run directory: the guest's streams arrive there.
    var longestSocket: String { runDirectory + "/" + StateFiles.vsock + "_1025" }
}
