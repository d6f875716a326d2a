import GuestMemory
import LinuxSystem
import Virtio

/// virtio-blk (virtio 1.2, section 5.2) on a raw disk.
public final class BlockDevice: VirtioDevice {
    private enum Feature {
        static let segmentMaximum: UInt64 = 1 << 2  // VIRTIO_BLK_F_SEG_MAX
        static let readOnly: UInt64 = 1 << 5  // VIRTIO_BLK_F_RO
        static let blockSize: UInt64 = 1 << 6  // VIRTIO_BLK_F_BLK_SIZE
        static let flush: UInt64 = 1 << 9  // VIRTIO_BLK_F_FLUSH
    }

    private static let queueSize: UInt16 = 256

    private let disk: DiskFile
    private let serial: [UInt8]
    private let worker: QueueWorker

    /// - Parameters:
    ///   - serial: what GET_ID tells, cut to 20 bytes.
    ///   - loop: where requests are served, one after the other; a slow disk holds up whatever else the loop does.
    public init(disk: DiskFile, serial: String, loop: EventLoop) {
        self.disk = disk
        self.serial = Array(serial.utf8.prefix(BlockRequest.serialLength))
        worker = QueueWorker(loop: loop)
    }

    public var type: DeviceType { .block }

    public var features: UInt64 {
        Feature.segmentMaximum | Feature.blockSize | Feature.flush | (disk.isReadOnly ? Feature.readOnly : 0)
    }

    public var queueSizes: [UInt16] { [Self.queueSize] }

    /// struct virtio_blk_config up to blk_size.
    public var configuration: [UInt8] {
        var bytes: [UInt8] = []
        func append<Value: FixedWidthInteger>(_ value: Value) {
            for index in 0..<(Value.bitWidth / 8) { bytes.append(UInt8(truncatingIfNeeded: value >> Value(8 * index))) }
        }
        append(disk.size / DiskFile.sectorSize)  // capacity
        append(UInt32(0))  // size_max: not offered
        append(UInt32(Self.queueSize) - 2)  // seg_max: the header and the status need a descriptor each
        append(UInt32(0))  // geometry: not offered
        append(UInt32(DiskFile.sectorSize))  // blk_size
        return bytes
    }

    public func activate(_ context: DeviceContext) {
        let requests = BlockRequestServer(
            disk: disk, serial: serial, capacity: Int(Self.queueSize),
            // A driver that does not flush expects every write to be durable (5.2.6.2).
            isWriteThrough: context.features & Feature.flush == 0)
        worker.start(context) { (chain) throws(QueueError) in try requests.serve(chain) }
    }

    public func reset() {
        worker.stop()
    }
}
