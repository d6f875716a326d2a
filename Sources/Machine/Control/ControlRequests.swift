import Devices
import LinuxSystem
import MachineProtocol

/// What a machine does when it is asked through its control socket. On the control loop's thread.
final class ControlRequests {
    private let disks: [PreparedDisk]
    private let shares: PreparedShares
    private let vsock: PreparedVsock?
    private let network: PreparedNetwork
    private let description: SnapshotDescription
    /// Who knows the machine that runs now: a restart brings another.
    private unowned let supervisor: Supervisor

    init(_ prepared: borrowing PreparedMachine, for supervisor: Supervisor) {
        disks = prepared.disks
        shares = prepared.shares
        vsock = prepared.vsock
        network = prepared.network
        description = SnapshotDescription(prepared)
        self.supervisor = supervisor
    }

    /// - Parameter reply: called once, now or later.
    func answer(_ request: ControlRequest, reply: @escaping (ControlReply) -> Void) {
        if let answer = answer(request) { return reply(answer) }
        guard case .snapshot(let directory, let base, let stops) = request else { return }
        do throws(Errno) {
            supervisor.snapshot(SnapshotOrder(directory: directory, base: base, stops: stops, description: try description.current()),
                                reply: reply)
        } catch {
            reply(.failed("the monitor's working directory: \(error)"))
        }
    }

    /// nil: the answer takes its time.
    private func answer(_ request: ControlRequest) -> ControlReply? {
        if Self.isChange(request), let refusal = supervisor.refusalWhileSaving { return refusal }
        return switch request {
        case .addShare(let share): shares.add(share).map { .failed($0) } ?? .done
        case .removeShare(let tag, let name): shares.remove(tag: tag, name: name).map { .failed($0) } ?? .done
        case .listShares: .shares(shares.list)
        case .vsock:
            if let vsock {
                vsock.endpoint.map { ControlReply.vsock($0) } ?? .failed("another virtual machine has taken its vsock address while it restarted")
            } else {
                .failed("the machine has no vsock device, expected one by --vsock")
            }
        case .resizeDisk(let index, let size):
            change(disk: index) { (_, device) throws(BlockDeviceError) in try device.resize(to: size) }
        case .attachDisk(let index, let description):
            change(disk: index) { (disk, device) throws(BlockDeviceError) in try disk.attach(description, to: device) }
        case .setLink(let interface, let up): network.setLink(interface, up: up).map { .failed($0) } ?? .done
        case .setMemory(let bytes): supervisor.setMemory(bytes)
        case .statistics: .statistics(supervisor.statistics())
        case .pause: supervisor.pause()
        case .resume: supervisor.resume()
        case .snapshot: nil
        }
    }

    /// Whether a request changes what a snapshot would say.
    private static func isChange(_ request: ControlRequest) -> Bool {
        switch request {
        case .addShare, .removeShare, .resizeDisk, .attachDisk, .setLink, .setMemory: true
        case .listShares, .vsock, .statistics, .pause, .resume, .snapshot: false
        }
    }

    private func change(
        disk index: UInt32, _ body: (PreparedDisk, BlockDevice) throws(BlockDeviceError) -> Void
    ) -> ControlReply {
        guard index < disks.count, let device = supervisor.machine?.disks[Int(index)] else {
            return .failed("disk \(index): there is none, expected \(disks.isEmpty ? "a machine with disks" : "0 to \(disks.count - 1)")")
        }
        do throws(BlockDeviceError) {
            try body(disks[Int(index)], device)
            return .done
        } catch {
            return .failed("disk \(index): \(error)")
        }
    }
}
