import Devices
import LinuxSystem
import MachineProtocol
import Synchronization

extension PreparedMachine {
    /// Opens and locks the disks, and settles how each is served.
    static func openDisks(_ machine: MachineDescription) throws(MachineError) -> [PreparedDisk] {
        var disks: [PreparedDisk] = []
        for (index, disk) in machine.disks.enumerated() {
            if disk.engine == .ioUring { try checkRing(disk) }
            do throws(DiskError) {
                let file = disk.isPlaceholder && disk.path.isEmpty ? nil : try DiskFile(disk)
                disks.append(PreparedDisk(file, isPlaceholder: disk.isPlaceholder, isReadOnly: disk.readOnly,
                                          options: options(disk, index, machine)))
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

extension DiskFile {
    /// Opens and locks what is described.
    convenience init(_ disk: DiskDescription) throws(DiskError) {
        try self.init(path: disk.path, readOnly: disk.readOnly, cache: DiskCache(disk.cache), creationSize: disk.creationSize)
    }
}

/// A disk of the machine, or the place of one: what it holds stays when the machine restarts.
final class PreparedDisk: Sendable {
    let options: BlockOptions
    let isReadOnly: Bool
    /// Whether its device was made without a disk, at the start or before the machine was saved.
    let isPlaceholder: Bool
    private let opened: Mutex<DiskFile?>
    private let description = Mutex<DiskDescription?>(nil)

    init(_ file: DiskFile?, isPlaceholder: Bool, isReadOnly: Bool, options: BlockOptions) {
        opened = Mutex(file)
        self.isPlaceholder = isPlaceholder
        self.isReadOnly = isReadOnly
        self.options = options
    }

    /// nil: a placeholder.
    var file: DiskFile? { opened.withLock { $0 } }

    /// For one machine.
    ///
    /// - Parameter isEmpty: a placeholder also where there is a disk, which it gets by `fill`.
    func makeDevice(isEmpty: Bool) throws(Errno) -> BlockDevice {
        if let file, !isEmpty { return try BlockDevice(disk: file, options) }
        return try BlockDevice(placeholderReadOnly: isReadOnly, options)
    }

    /// Gives a device that was made empty the disk.
    func fill(_ device: BlockDevice) throws(BlockDeviceError) {
        if let file { try device.attach(file) }
    }

    /// Gives the placeholder its disk, in the machine that runs and in those that come after it.
    func attach(_ description: DiskDescription, to device: BlockDevice) throws(BlockDeviceError) {
        if file != nil { throw .occupied }
        var description = description
        // What the guest was told stands, also in machines that come after this one.
        if isReadOnly {
            description.readOnly = true
            description.creationSize = nil
        }
        let file: DiskFile
        do throws(DiskError) { file = try DiskFile(description) } catch { throw .disk(error) }
        try device.attach(file)
        opened.withLock { $0 = file }
        self.description.withLock { $0 = description }
    }

    /// What a placeholder was given; nil where it is one still, or never was.
    var attached: DiskDescription? { description.withLock { $0 } }
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
