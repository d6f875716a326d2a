import LinuxSystem

/// Writes the blocks of a root image one after the other, file by file. What lies where is known at once, so that data goes to
/// its final place while the layers are read; the file system around it is made when they are done.
struct BlockWriter: ~Copyable {
    static let blockSize = 4096
    /// Blocks of one extent (ext4, struct ext4_extent).
    private static let extentLimit: UInt32 = 32768

    private let file: Int32
    private let path: String
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
    /// Bytes in the buffer.
    private var filled = 0
    /// The block that the buffer begins with.
    private var bufferBlock: UInt32
    /// The first block that may not be used.
    private let limit: UInt32

    /// Where in the current file the next byte goes.
    private var position: UInt64 = 0
    private var extents: [FileTree.Extent] = []

    /// - Parameters:
    ///   - file: borrowed; written with offsets.
    ///   - firstBlock: where data begins.
    ///   - limit: the first block that may not be used.
    init(_ file: Int32, path: String, firstBlock: UInt32, limit: UInt32) {
        (self.file, self.path, self.bufferBlock, self.limit) = (file, path, firstBlock, limit)
    }

    deinit {
        buffer.deallocate()
    }

    /// The block that the next one written is.
    var nextBlock: UInt32 { bufferBlock + UInt32(filled / Self.blockSize) }

    /// Begins a file.
    mutating func beginFile() {
        position = 0
        extents.removeAll(keepingCapacity: true)
    }

    /// Adds data at an offset of the current file; what is left out before it is a hole, in whole blocks.
    mutating func append(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(LayerFailure) {
        guard offset >= position else { throw .invalid("the ranges of a sparse file are out of order") }
        guard (offset + UInt64(bytes.count) + 4095) >> 12 <= UInt64(UInt32.max) else {
            throw .invalid("a file of more than 16 TiB")
        }
        if bytes.isEmpty { return }
        if offset > position {
            if offset >> 12 != position >> 12 {
                try pad(to: UInt64(Self.blockSize))
                position = offset & ~4095
            }
            try pad(to: offset & 4095)
        }
        var done = 0
        while done < bytes.count {
            if position & 4095 == 0 {
                // Whole blocks of this piece, and the begin of one.
                let room = (buffer.count - filled) / Self.blockSize
                let blocks = min((bytes.count - done + 4095) / Self.blockSize, room)
                try map(UInt32(blocks))
            }
            // As far as blocks are mapped: to the end of the block, or of the run that was just mapped.
            let mapped = mappedEnd - position
            let part = min(bytes.count - done, Int(mapped))
            (buffer.baseAddress! + filled).copyMemory(from: bytes.baseAddress! + done, byteCount: part)
            try advance(part)
            done += part
        }
    }

    /// Ends the file; returns where its blocks are.
    mutating func endFile() throws(LayerFailure) -> [FileTree.Extent] {
        try pad(to: UInt64(Self.blockSize))
        return extents
    }

    /// Writes a block that belongs to no file's data; returns its number. The current file has ended.
    mutating func appendBlock(_ bytes: UnsafeRawBufferPointer) throws(LayerFailure) -> UInt32 {
        let block = nextBlock
        try checkLimit(block, 1)
        let count = min(bytes.count, Self.blockSize)
        let start = buffer.baseAddress! + filled
        start.copyMemory(from: bytes.baseAddress!, byteCount: count)
        (start + count).initializeMemory(as: UInt8.self, repeating: 0, count: Self.blockSize - count)
        try advance(Self.blockSize)
        return block
    }

    /// Writes what is in the buffer, which holds whole blocks.
    mutating func flush() throws(LayerFailure) {
        guard filled > 0 else { return }
        do throws(Errno) {
            try LinuxSystem.writeAll(file, UnsafeRawBufferPointer(rebasing: buffer[..<filled]),
                                     at: UInt64(bufferBlock) * UInt64(Self.blockSize))
        } catch {
            throw .image(ImageError(path, error))
        }
        bufferBlock += UInt32(filled / Self.blockSize)
        filled = 0
    }

    /// The file's offset behind the last block that has a place.
    private var mappedEnd: UInt64 {
        guard let last = extents.last else { return 0 }
        return UInt64(last.logical + last.count) << 12
    }

    /// Gives the next blocks of the file, at `position`, a place: the next in the buffer.
    private mutating func map(_ count: UInt32) throws(LayerFailure) {
        let physical = nextBlock
        try checkLimit(physical, count)
        let logical = UInt32(position >> 12)
        if let last = extents.last, last.logical + last.count == logical, last.physical + last.count == physical,
           last.count + count <= Self.extentLimit {
            extents[extents.count - 1].count += count
        } else {
            extents.append(FileTree.Extent(logical: logical, physical: physical, count: count))
        }
    }

    private func checkLimit(_ block: UInt32, _ count: UInt32) throws(LayerFailure) {
        guard UInt64(block) + UInt64(count) <= UInt64(limit) else {
            throw .invalid("the image needs more blocks than its file system has room for")
        }
    }

    /// Adds zeros up to an offset in the current block, one that is begun or, for less than all of it, a new one.
    private mutating func pad(to end: UInt64) throws(LayerFailure) {
        let start = position & 4095
        if start == 0 {
            guard end > 0, end < Self.blockSize else { return }
            try map(1)
        }
        guard end > start else { return }
        let count = Int(end - start)
        (buffer.baseAddress! + filled).initializeMemory(as: UInt8.self, repeating: 0, count: count)
        try advance(count)
    }

    private mutating func advance(_ count: Int) throws(LayerFailure) {
        filled += count
        position += UInt64(count)
        if filled == buffer.count { try flush() }
    }
}
