import Devices
import LinuxSystem
import MachineProtocol

extension PreparedMachine {
    /// Opens and locks the disks, and settles how each is served.
    static func openDisks(_ machine: MachineDescription) throws(MachineError) -> [PreparedDisk] {
        var disks: [PreparedDisk] = []
        for (index, disk) in machine.disks.enumerated() {
            if disk.engine == .ioUring { try checkRing(disk) }
            do throws(DiskError) {
                let file = try DiskFile(path: disk.path, readOnly: disk.readOnly, cache: DiskCache(disk.cache),
                                        creationSize: disk.creationSize)
                disks.append(PreparedDisk(file: file, options: options(disk, index, machine)))
            } catch {
                throw MachineError("--disk \(disk.path): \(error)")
            }
        }
        return disks
    }

    private static func options(_ disk: DiskDescription, _ index: Int, _ machine: MachineDescription) -> BlockOptions {
        // One queue for each vCPU, so that none waits for another; see `DiskDescription.queueCounts`.
        let queues = disk.queueCount ?? min(machine.processorCount, DiskDescription.queueCounts.upperBound)
        let engine: DiskEngine = switch disk.engine {
        case .automatic: .automatic
        case .ioUring: .ioUring
        case .threads: .threads
        }
        func rate(_ limit: DiskDescription.RateLimit?) -> DiskRates.Rate? {
            limit.map { DiskRates.Rate(perSecond: $0.perSecond, burst: $0.burst) }
        }
        return BlockOptions(
            serial: disk.serial ?? "svmm-disk-\(index)", queueCount: queues, engine: engine,
            rates: DiskRates(requests: rate(disk.requestLimit), bytes: rate(disk.byteLimit)), name: "disk-\(index)")
    }

    private static func checkRing(_ disk: DiskDescription) throws(MachineError) {
        do throws(Errno) {
            _ = try IORing(entries: 1)
        } catch {
            throw MachineError("--disk \(disk.path): engine=io_uring: \(error); expected a kernel that allows io_uring (kernel.io_uring_disabled), or engine=auto or threads")
        }
    }
}

extension DiskCache {
    fileprivate init(_ mode: DiskDescription.Cache) {
        switch mode {
        case .writeback: self = .writeback
        case .writethrough: self = .writethrough
        case .none: self = .none
        }
    }
}
