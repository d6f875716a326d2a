import GuestMemory
import LinuxSystem
import Virtio

/// The numbers of a block request (virtio 1.2, 5.2.6).
enum BlockRequest {
    static let read: UInt32 = 0  // VIRTIO_BLK_T_IN
    static let write: UInt32 = 1  // VIRTIO_BLK_T_OUT
    static let flush: UInt32 = 4  // VIRTIO_BLK_T_FLUSH
    static let getID: UInt32 = 8  // VIRTIO_BLK_T_GET_ID
    static let discard: UInt32 = 11  // VIRTIO_BLK_T_DISCARD
    static let writeZeroes: UInt32 = 13  // VIRTIO_BLK_T_WRITE_ZEROES

    static let headerSize = 16
    static let serialLength = 20

    enum Status: UInt8 {
        case ok = 0  // VIRTIO_BLK_S_OK
        case ioError = 1  // VIRTIO_BLK_S_IOERR
        case unsupported = 2  // VIRTIO_BLK_S_UNSUPP
    }

    /// struct virtio_blk_discard_write_zeroes.
    enum Segment {
        static let size = 16
        static let unmap: UInt32 = 1
        /// In a request, and sectors in one of them: max_discard_seg and max_discard_sectors, and the same for zeros.
        static let maximumCount = 32
        static let maximumSectors: UInt32 = 1 << 22
    }
}

/// What a request wants of the disk.
enum BlockOperation: Equatable {
    case read, write, flush, discard, writeZeroes
}

/// What the requests of a queue are checked against.
struct BlockTerms {
    /// nil while there is only a placeholder.
    var disk: DiskFile?
    let isReadOnly: Bool
    /// What driver and device have agreed upon.
    let features: BlockFeatures
    let serial: [UInt8]
}

/// A request between its chain and its completion. The chain is used for others meanwhile: everything that the guest could
/// change under us was copied or resolved from it.
final class RequestSlot: @unchecked Sendable {
    // Sound: handed from the queue's thread to a worker and back, and used by one of them at a time.
    let index: Int
    var operation = BlockOperation.read
    var head: UInt16 = 0
    /// Bytes from the start of the disk.
    var offset: UInt64 = 0
    /// A write that must be on the disk before it completes.
    var isDurable = false
    var vectors: IOVectorList
    var ranges: [ZeroableRange] = []
    /// How it ended, once it has.
    var status = BlockRequest.Status.ok
    /// The next one in the list of a `CompletionBox`.
    var next: RequestSlot?
    /// Ring: it must not be tried in the queue's own thread again.
    var isAsynchronous = false
    /// nil only until the first request.
    private var statusByte: GuestSlice?
    /// Bytes before the status.
    private var room = 0

    struct ZeroableRange: Equatable {
        let bytes: Range<UInt64>
        let unmap: Bool
    }

    init(index: Int, queueSize: Int) {
        self.index = index
        vectors = IOVectorList(capacity: 8, limit: queueSize)
    }

    /// For the rate limit.
    var transferCount: Int { operation == .read || operation == .write ? vectors.byteCount : 0 }

    /// Takes over what a chain asks for. Returns what is to be answered at once, or nil where the disk is to do something
    /// first. Throws when there is no room for an answer, or no whole question.
    func take(_ chain: DescriptorChain, _ terms: borrowing BlockTerms) throws(QueueError) -> BlockRequest.Status? {
        guard let type = chain.read(UInt32.self, at: 0), let sector = chain.read(UInt64.self, at: 8),
              chain.writableCount >= 1 else { throw .request }
        head = chain.head
        // The last writable byte is the status, whatever the buffers' boundaries.
        room = chain.writableCount - 1
        statusByte = chain.writableByte(at: room)
        isAsynchronous = false
        // A disk that came later may ask for more than its driver was told of.
        isDurable = terms.features.isWriteThrough || terms.disk?.cache == .writethrough
        switch type {
        case BlockRequest.read:
            return takeTransfer(.read, chain, sector, from: 0, count: room, terms)
        case BlockRequest.write:
            if terms.isReadOnly { return .ioError }
            return takeTransfer(.write, chain, sector, from: BlockRequest.headerSize,
                                count: chain.readableCount - BlockRequest.headerSize, terms)
        case BlockRequest.flush:
            operation = .flush
            return terms.disk == nil ? .ok : nil
        case BlockRequest.getID:
            writeSerial(chain, terms.serial)
            return .ok
        case BlockRequest.discard where terms.features.contains(.discard) && !terms.isReadOnly:
            return takeRanges(.discard, chain, terms)
        case BlockRequest.writeZeroes where terms.features.contains(.writeZeroes) && !terms.isReadOnly:
            return takeRanges(.writeZeroes, chain, terms)
        default:
            return .unsupported
        }
    }

    private func takeTransfer(
        _ operation: BlockOperation, _ chain: DescriptorChain, _ sector: UInt64, from start: Int, count: Int,
        _ terms: borrowing BlockTerms
    ) -> BlockRequest.Status? {
        // What `seg_max` and `size_max` allow: no driver asks for more, and no reset shall wait for it.
        guard count >= 0, count <= BlockOffer.largestTransfer, UInt64(count) % DiskFile.sectorSize == 0,
              let range = Self.bytes(sector, UInt64(count) / DiskFile.sectorSize, terms.disk) else { return .ioError }
        // A part of a block cannot be written without its rest, and nobody is there to read and merge.
        if operation == .write, let disk = terms.disk,
           (range.lowerBound | UInt64(count)) % UInt64(disk.traits.logicalBlockSize) != 0 { return .ioError }
        vectors.removeAll()
        guard chain.gather(writable: operation == .read, from: start, count: count, into: &vectors) else { return .ioError }
        self.operation = operation
        offset = range.lowerBound
        return count == 0 ? .ok : nil
    }

    private func takeRanges(
        _ operation: BlockOperation, _ chain: DescriptorChain, _ terms: borrowing BlockTerms
    ) -> BlockRequest.Status? {
        // A placeholder offers what the disk that comes later may not have.
        guard let disk = terms.disk,
              operation == .discard ? disk.traits.canDiscard : disk.traits.canWriteZeroes else { return .unsupported }
        let count = chain.readableCount - BlockRequest.headerSize
        guard count > 0, count % BlockRequest.Segment.size == 0,
              count / BlockRequest.Segment.size <= BlockRequest.Segment.maximumCount else { return .ioError }
        ranges.removeAll(keepingCapacity: true)
        for place in stride(from: BlockRequest.headerSize, to: chain.readableCount, by: BlockRequest.Segment.size) {
            guard let sector = chain.read(UInt64.self, at: place), let sectors = chain.read(UInt32.self, at: place + 8),
                  let flags = chain.read(UInt32.self, at: place + 12) else { return .ioError }
            let known = operation == .writeZeroes ? BlockRequest.Segment.unmap : 0
            guard flags & ~known == 0 else { return .unsupported }
            guard sectors <= BlockRequest.Segment.maximumSectors,
                  let range = Self.bytes(sector, UInt64(sectors), disk) else { return .ioError }
            ranges.append(ZeroableRange(bytes: range, unmap: flags & BlockRequest.Segment.unmap != 0))
        }
        self.operation = operation
        return nil
    }

    /// The bytes of a range of sectors; nil when they are not all on the disk.
    private static func bytes(_ sector: UInt64, _ sectors: UInt64, _ disk: DiskFile?) -> Range<UInt64>? {
        let capacity = (disk?.size ?? 0) / DiskFile.sectorSize
        guard sector <= capacity, sectors <= capacity - sector else { return nil }
        return (sector * DiskFile.sectorSize)..<((sector + sectors) * DiskFile.sectorSize)
    }

    private func writeSerial(_ chain: DescriptorChain, _ serial: [UInt8]) {
        // Not terminated when all 20 bytes are used, padded with zeros otherwise.
        room = min(room, BlockRequest.serialLength)
        var padded: InlineArray<20, UInt8> = .init(repeating: 0)
        for index in 0..<min(serial.count, BlockRequest.serialLength) { padded[index] = serial[index] }
        withUnsafeBytes(of: &padded) { bytes in
            _ = chain.write(UnsafeRawBufferPointer(rebasing: bytes.prefix(room)), at: 0)
        }
        operation = .read
    }

    /// Writes the status where the guest looks for it, and returns the length for the used ring: of what was written from the
    /// start of the buffers without a gap.
    func finish(_ status: BlockRequest.Status) -> Int {
        statusByte?.store(status.rawValue, at: 0)
        return status == .ok && operation == .read ? room + 1 : 1
    }

    /// Does what the request wants, however long that takes. From any one thread.
    func perform(on disk: DiskFile) {
        do throws(Errno) {
            switch operation {
            case .read: try disk.read(into: &vectors, at: offset)
            case .write: try disk.write(from: &vectors, at: offset, durable: isDurable)
            case .flush: try disk.flush()
            case .discard:
                for range in ranges { try disk.discard(range.bytes) }
                if isDurable { try disk.flush() }
            case .writeZeroes:
                for range in ranges { try disk.writeZeroes(range.bytes, unmap: range.unmap) }
                if isDurable { try disk.flush() }
            }
            status = .ok
        } catch {
            status = .ioError
        }
    }
}
