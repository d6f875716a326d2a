import AgentProtocol

/// Reads a stream in the sizes that the reader wants. Blocks.
struct ByteSource {
    private let file: Int32
    private var buffer: UnsafeMutableRawBufferPointer
    private var start = 0
    private var end = 0

    init(_ file: Int32) {
        self.file = file
        // As long as the process, which ends when the stream does.
        buffer = .allocate(byteCount: 128 << 10, alignment: 4096)
    }

    /// At most so many bytes, at least one; the bytes are good until the next call. nil: the end.
    mutating func next(_ limit: Int) throws(AgentFailure) -> UnsafeRawBufferPointer? {
        if start == end {
            let count = retrying { read(file, buffer.baseAddress, buffer.count) }
            guard count >= 0 else { throw AgentFailure(.failed, "reading the archive: \(Errno.current.text)") }
            start = 0
            end = count
            if count == 0 { return nil }
        }
        let count = min(limit, end - start)
        defer { start += count }
        return UnsafeRawBufferPointer(rebasing: buffer[start..<(start + count)])
    }

    /// Exactly so many; nil when the stream ends before the first.
    mutating func exactly(_ count: Int) throws(AgentFailure) -> [UInt8]? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        while bytes.count < count {
            guard let part = try next(count - bytes.count) else {
                guard bytes.isEmpty else { throw AgentFailure(.failed, "the archive ends in the middle") }
                return nil
            }
            bytes.append(contentsOf: part)
        }
        return bytes
    }

    mutating func skip(_ count: Int) throws(AgentFailure) {
        var rest = count
        while rest > 0 {
            guard let part = try next(rest) else { throw AgentFailure(.failed, "the archive ends in the middle") }
            rest -= part.count
        }
    }

    /// To the end.
    mutating func drain() {
        while let part = try? next(buffer.count), !part.isEmpty {}
    }
}

/// Gathers small writes to a stream. Blocks.
struct ByteSink {
    private let file: Int32
    private var buffer: [UInt8] = []
    private static let limit = 64 << 10

    init(_ file: Int32) {
        self.file = file
        buffer.reserveCapacity(Self.limit)
    }

    mutating func write(_ bytes: [UInt8]) throws(AgentFailure) {
        buffer += bytes
        if buffer.count >= Self.limit { try flush() }
    }

    /// As many as the file still has, up to `size`; returns how many.
    mutating func copy(_ source: Int32, _ size: UInt64) throws(AgentFailure) -> UInt64 {
        try flush()
        var done: UInt64 = 0
        while done < size {
            let part = Int(min(size - done, UInt64(Self.limit)))
            var failure: AgentFailure?
            let count = withUnsafeTemporaryAllocation(byteCount: part, alignment: 16) { chunk in
                let count = retrying { read(source, chunk.baseAddress, part) }
                if count > 0 {
                    do throws(Errno) {
                        try writeAll(file, UnsafeRawBufferPointer(rebasing: chunk[..<count]))
                    } catch {
                        failure = AgentFailure(.failed, "writing the archive: \(error.text)")
                    }
                }
                return count
            }
            if let failure { throw failure }
            if count <= 0 { break }
            done += UInt64(count)
        }
        return done
    }

    mutating func flush() throws(AgentFailure) {
        do throws(Errno) {
            try writeAll(file, buffer)
        } catch {
            throw AgentFailure(.failed, "writing the archive: \(error.text)")
        }
        buffer.removeAll(keepingCapacity: true)
    }
}
