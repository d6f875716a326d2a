import LinuxSystem
import Synchronization

/// A disk's file opened for direct I/O, and what that wants of offsets and memory.
final class DirectFile: @unchecked Sendable {
    // Sound: the bounce buffer is used with its mutex held.
    let file: FileDescriptor
    /// What offsets and lengths are multiples of.
    let offsetAlignment: Int
    /// What the addresses and lengths of memory areas are multiples of, to be on the safe side for every kernel.
    let alignment: Int
    /// For requests whose memory is not aligned: one at a time, in parts of this size.
    private let bounce: MemoryMapping
    private let bounceLock = Mutex(())

    private static let bounceSize = 256 << 10

    init(_ buffered: borrowing FileDescriptor, readOnly: Bool) throws(DiskError) {
        let file = try Self.open(buffered, readOnly: readOnly)
        let bounce = try Self.makeBounceBuffer()
        let wanted = try Self.alignment(file, bounce.base)
        offsetAlignment = wanted.offset
        alignment = max(wanted.memory, wanted.offset)
        self.file = file
        self.bounce = bounce
        guard alignment & (alignment - 1) == 0, offsetAlignment & (offsetAlignment - 1) == 0, alignment <= 64 << 10 else {
            throw .direct(.invalidArgument)
        }
    }

    private static func open(_ file: borrowing FileDescriptor, readOnly: Bool) throws(DiskError) -> FileDescriptor {
        do throws(Errno) {
            return try file.reopened(readOnly ? [.readOnly, .direct] : [.readWrite, .direct])
        } catch {
            throw .direct(error)
        }
    }

    private static func makeBounceBuffer() throws(DiskError) -> MemoryMapping {
        do throws(Errno) {
            return try MemoryMapping(anonymousBytes: bounceSize)
        } catch {
            throw .direct(error)
        }
    }

    private static func alignment(
        _ file: borrowing FileDescriptor, _ memory: UnsafeMutableRawPointer
    ) throws(DiskError) -> (memory: Int, offset: Int) {
        if let wanted = file.directAlignment() { return wanted }
        do throws(Errno) {
            let size = try probe(file, memory)
            return (size, size)
        } catch {
            throw .direct(error)
        }
    }

    /// The smallest block that can be read.
    private static func probe(
        _ file: borrowing FileDescriptor, _ memory: UnsafeMutableRawPointer
    ) throws(Errno) -> Int {
        for size in [512, 1024, 2048] {
            do throws(Errno) {
                // Memory that is aligned to this and no more.
                _ = try file.read(into: UnsafeMutableRawBufferPointer(start: memory + size, count: size), at: UInt64(size))
                return size
            } catch {
                guard error == .invalidArgument else { throw error }
            }
        }
        _ = try file.read(into: UnsafeMutableRawBufferPointer(start: memory, count: 4096), at: 0)
        return 4096
    }

    /// As reading into the areas, whatever their alignment; returns the bytes read.
    func readBounced(into vectors: borrowing IOVectorList, at offset: UInt64) throws(Errno) -> Int {
        try forEachPart(vectors, offset) { (buffer, offset, areas) throws(Errno) in
            let count = try file.read(into: buffer, at: offset)
            areas.copy(from: UnsafeRawBufferPointer(rebasing: buffer.prefix(count)))
            return count
        }
    }

    /// As writing the areas, whatever their alignment; returns the bytes written.
    func writeBounced(from vectors: borrowing IOVectorList, at offset: UInt64, durable: Bool) throws(Errno) -> Int {
        try forEachPart(vectors, offset) { (buffer, offset, areas) throws(Errno) in
            areas.copy(to: buffer)
            var one = IOVectorList(capacity: 1)
            _ = one.append(buffer.baseAddress!, count: buffer.count)
            return try file.write(from: &one, at: offset, durable: durable)
        }
    }

    private func forEachPart(
        _ vectors: borrowing IOVectorList, _ offset: UInt64,
        _ body: (UnsafeMutableRawBufferPointer, UInt64, inout AreaCursor) throws(Errno) -> Int
    ) throws(Errno) -> Int {
        var areas = AreaCursor(vectors)
        let total = vectors.byteCount
        var done = 0
        let result = bounceLock.withLock { _ -> Result<Int, Errno> in
            do throws(Errno) {
                while done < total {
                    let size = min(Self.bounceSize, total - done)
                    let buffer = UnsafeMutableRawBufferPointer(start: bounce.base, count: size)
                    let count = try body(buffer, offset &+ UInt64(done), &areas)
                    done += count
                    if count < size { break }
                }
                return .success(done)
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }
}

/// Goes through the areas of a list, byte by byte of its length, to copy in or out.
private struct AreaCursor {
    private let areas: [UnsafeMutableRawBufferPointer]
    private var index = 0
    private var offset = 0

    init(_ vectors: borrowing IOVectorList) {
        var areas: [UnsafeMutableRawBufferPointer] = []
        vectors.forEach { areas.append($0) }
        self.areas = areas
    }

    mutating func copy(from bytes: UnsafeRawBufferPointer) {
        advance(bytes.count) { area, done in
            area.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[done..<(done + area.count)]))
        }
    }

    mutating func copy(to bytes: UnsafeMutableRawBufferPointer) {
        advance(bytes.count) { area, done in
            UnsafeMutableRawBufferPointer(rebasing: bytes[done...]).copyMemory(from: UnsafeRawBufferPointer(area))
        }
    }

    private mutating func advance(_ count: Int, _ body: (UnsafeMutableRawBufferPointer, Int) -> Void) {
        var done = 0
        while done < count, index < areas.count {
            let length = min(areas[index].count - offset, count - done)
            if length > 0 {
                body(UnsafeMutableRawBufferPointer(rebasing: areas[index][offset..<(offset + length)]), done)
            }
            done += length
            offset += length
            if offset == areas[index].count {
                index += 1
                offset = 0
            }
        }
    }
}
