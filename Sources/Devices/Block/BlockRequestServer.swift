import GuestMemory
import LinuxSystem
import Virtio

/// The numbers of a block request (virtio 1.2, 5.2.6).
enum BlockRequest {
    static let read: UInt32 = 0  // VIRTIO_BLK_T_IN
    static let write: UInt32 = 1  // VIRTIO_BLK_T_OUT
    static let flush: UInt32 = 4  // VIRTIO_BLK_T_FLUSH
    static let getID: UInt32 = 8  // VIRTIO_BLK_T_GET_ID

    static let headerSize = 16
    static let serialLength = 20

    enum Status: UInt8 {
        case ok = 0  // VIRTIO_BLK_S_OK
        case ioError = 1  // VIRTIO_BLK_S_IOERR
        case unsupported = 2  // VIRTIO_BLK_S_UNSUPP
    }
}

/// Serves the requests of one queue. For the thread that serves it.
final class BlockRequestServer: @unchecked Sendable {
    // Sound: handed over to one thread when the device is activated.
    private let disk: DiskFile
    private let serial: [UInt8]
    private let isWriteThrough: Bool
    private var vectors: IOVectorList

    init(disk: DiskFile, serial: [UInt8], capacity: Int, isWriteThrough: Bool) {
        self.disk = disk
        self.serial = serial
        self.isWriteThrough = isWriteThrough
        vectors = IOVectorList(capacity: capacity)
    }

    /// Does what the chain asks for and returns the bytes written into it. Throws when there is no room for an answer.
    func serve(_ chain: DescriptorChain) throws(QueueError) -> Int {
        guard let type = chain.read(UInt32.self, at: 0), let sector = chain.read(UInt64.self, at: 8),
              chain.writableCount >= 1 else { throw .request }
        // The last writable byte is the status, whatever the buffers' boundaries.
        let room = chain.writableCount - 1
        var written = 0
        let status: BlockRequest.Status
        switch type {
        case BlockRequest.read:
            status = transfer(chain, sector: sector, writable: true, from: 0, count: room)
            if status == .ok { written = room }
        case BlockRequest.write:
            let count = chain.readableCount - BlockRequest.headerSize
            status = disk.isReadOnly ? .ioError
                : transfer(chain, sector: sector, writable: false, from: BlockRequest.headerSize, count: count)
        case BlockRequest.flush:
            status = Self.status { () throws(Errno) in try disk.flush() }
        case BlockRequest.getID:
            written = writeSerial(chain, room: room)
            status = .ok
        default:
            status = .unsupported
        }
        withUnsafeBytes(of: status.rawValue) { _ = chain.write($0, at: room) }
        // The used length counts from the start of the buffers; a failed request may have left a gap before its status.
        return status == .ok && written == room ? room + 1 : status == .ok ? written + 1 : 1
    }

    private func transfer(
        _ chain: DescriptorChain, sector: UInt64, writable: Bool, from offset: Int, count: Int
    ) -> BlockRequest.Status {
        let (start, overflow) = sector.multipliedReportingOverflow(by: DiskFile.sectorSize)
        guard count >= 0, UInt64(count) % DiskFile.sectorSize == 0, !overflow,
              start <= disk.size, UInt64(count) <= disk.size - start else { return .ioError }
        vectors.removeAll()
        guard chain.gather(writable: writable, from: offset, count: count, into: &vectors) else { return .ioError }
        return Self.status { () throws(Errno) in
            if writable { return try disk.read(into: &vectors, at: start) }
            try disk.write(from: &vectors, at: start)
            if isWriteThrough { try disk.flush() }
        }
    }

    private func writeSerial(_ chain: DescriptorChain, room: Int) -> Int {
        // Not terminated when all 20 bytes are used, padded with zeros otherwise.
        let padded = serial + [UInt8](repeating: 0, count: BlockRequest.serialLength - serial.count)
        return padded.withUnsafeBytes { bytes in
            chain.write(UnsafeRawBufferPointer(rebasing: bytes.prefix(room)), at: 0)
        }
    }

    private static func status(_ body: () throws(Errno) -> Void) -> BlockRequest.Status {
        do throws(Errno) {
            try body()
            return .ok
        } catch {
            return .ioError
        }
    }
}
