import LinuxSystem
import MachineProtocol

/// What a machine's description is by now: disks that were attached, shares that came and went, addresses that were chosen at its start.
/// On the control loop's thread.
struct SnapshotDescription {
    private let description: MachineDescription
    private let disks: [PreparedDisk]
    private let shares: PreparedShares
    private let macs: [[UInt8]]

    init(_ prepared: borrowing PreparedMachine) {
        description = prepared.description
        disks = prepared.disks
        shares = prepared.shares
        macs = prepared.network.interfaces.map(\.mac)
    }

    /// With absolute paths, for a monitor that runs somewhere else.
    func current() throws(Errno) -> MachineDescription {
        let directory = try CurrentProcess.workingDirectory()
        func absolute(_ path: String) -> String { path.isEmpty || path.hasPrefix("/") ? path : directory + "/" + path }
        var now = description
        now.kernel = absolute(now.kernel)
        now.initrd = now.initrd.map(absolute)
        now.disks = zip(now.disks, disks).map { described, disk in
            var described = described
            // Its device stays one that was made without a disk, with what was settled then.
            if let attached = disk.attached { (described.path, described.readOnly, described.cache) = (attached.path, attached.readOnly, attached.cache) }
            described.path = absolute(described.path)
            described.creationSize = nil
            return described
        }
        now.shares = shares.list
        for index in now.interfaces.indices where index < macs.count {
            now.interfaces[index].mac = macs[index]
            now.interfaces[index].capturePath = now.interfaces[index].capturePath.map(absolute)
        }
        if case .file(let path) = now.console { now.console = .file(absolute(path)) }
        if case .unixSocket(let path) = now.console { now.console = .unixSocket(absolute(path)) }
        now.restore = nil
        return now
    }
}
