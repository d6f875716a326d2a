import LinuxSystem

/// Frames on a stream socket, the length of each before it in 32 bits, big-endian (passt(1)). For the thread that serves the port.
struct FrameStream: ~Copyable {
    /// A length that no frame has: the stream is not what it should be.
    struct Malformed: Error {
        let length: Int
    }

    private static let headerSize = 4
    private static let frameLimit = 65_550

    private let input = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 16)
    private var inputStart = 0
    private var inputEnd = 0
    /// What is left of a frame that the socket took a part of.
    private let output = UnsafeMutableRawBufferPointer.allocate(byteCount: headerSize + frameLimit, alignment: 16)
    private var outputStart = 0
    private var outputEnd = 0
    private let length = UnsafeMutableRawBufferPointer.allocate(byteCount: headerSize, alignment: 4)
    private var vectors = FrameVectors()

    deinit {
        input.deallocate()
        output.deallocate()
        length.deallocate()
    }

    /// Forgets what belongs to another connection.
    mutating func reset() {
        (inputStart, inputEnd, outputStart, outputEnd) = (0, 0, 0, 0)
    }

    /// The next frame, valid until the next call; nil when it has not come yet: see `fill`.
    mutating func next() throws(Malformed) -> UnsafeRawBufferPointer? {
        guard inputEnd - inputStart >= Self.headerSize else { return nil }
        let count = Int(UInt32(bigEndian: input.loadUnaligned(fromByteOffset: inputStart, as: UInt32.self)))
        guard count > 0, count <= Self.frameLimit else { throw Malformed(length: count) }
        let start = inputStart + Self.headerSize
        guard inputEnd - start >= count else { return nil }
        inputStart = start + count
        return UnsafeRawBufferPointer(rebasing: input[start..<(start + count)])
    }

    /// Reads once. The bytes read, 0 at the end of the stream, nil when there are none now.
    mutating func fill(from raw: Int32) throws(Errno) -> Int? {
        if inputStart == inputEnd {
            (inputStart, inputEnd) = (0, 0)
        } else if input.count - inputEnd < Self.headerSize + Self.frameLimit {
            let rest = inputEnd - inputStart
            input.baseAddress!.copyMemory(from: input.baseAddress! + inputStart, byteCount: rest)
            (inputStart, inputEnd) = (0, rest)
        }
        guard let count = try readNow(raw, into: UnsafeMutableRawBufferPointer(rebasing: input[inputEnd...])) else { return nil }
        inputEnd += count
        return count
    }

    /// Sends a frame, `skip` bytes into the areas; false when the socket takes nothing now. A frame of which it took a part is sent:
    /// `flush` sends the rest.
    mutating func send(_ frame: borrowing FrameVectors, skip: Int, count: Int, to raw: Int32) throws(Errno) -> Bool {
        guard try flush(to: raw) else { return false }
        guard count >= FrameSize.minimum, count <= Self.frameLimit else { return true }
        length.storeBytes(of: UInt32(count).bigEndian, as: UInt32.self)
        vectors.removeAll()
        _ = vectors.append(length)
        guard vectors.append(frame, from: skip, count: count) == count else { return true }
        guard let done = try vectors.write(to: raw) else { return false }
        let total = Self.headerSize + count
        if done < total {
            outputStart = 0
            outputEnd = total - done
            vectors.copy(to: UnsafeMutableRawBufferPointer(rebasing: output[..<outputEnd]), at: done)
        }
        return true
    }

    /// Sends what is left of the last frame; false when there is more.
    mutating func flush(to raw: Int32) throws(Errno) -> Bool {
        while outputStart < outputEnd {
            let rest = UnsafeRawBufferPointer(rebasing: output[outputStart..<outputEnd])
            guard let count = try writeNow(raw, rest) else { return false }
            outputStart += count
        }
        return true
    }
}
