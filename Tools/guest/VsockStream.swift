/// Bytes that both ends can tell from a seed, a part at a time: to send, or to compare with what came.
struct SeededStream {
    private static let blockSize = 64 << 10

    private var random: Random
    private var sizes: Random
    private var block: [UInt64]
    /// Of the block, in bytes: what lies before has been used.
    private var place = SeededStream.blockSize
    private(set) var count = 0

    init(seed: Int) {
        random = Random(state: UInt64(truncatingIfNeeded: seed))
        sizes = Random(state: ~UInt64(truncatingIfNeeded: seed))
        block = [UInt64](repeating: 0, count: Self.blockSize / 8)
    }

    private mutating func refill() {
        guard place == Self.blockSize else { return }
        block.withUnsafeMutableBufferPointer { words in
            for index in words.indices { words[index] = random.next() }
        }
        place = 0
    }

    /// Hands out the next bytes, 1 byte to 64 KiB of them and no more than `limit`; goes on behind as many as the body says
    /// it took.
    mutating func next(limit: Int, _ body: (UnsafeRawBufferPointer) throws(Errno) -> Int) throws(Errno) {
        refill()
        // As many short ones as long ones.
        let size = 1 + Int(truncatingIfNeeded: sizes.next()) & (Self.blockSize - 1) >> Int(sizes.next() % 16)
        let length = min(size, Self.blockSize - place, limit)
        var result: Result<Int, Errno> = .success(0)
        block.withUnsafeBytes { bytes in
            do throws(Errno) {
                result = .success(try body(UnsafeRawBufferPointer(rebasing: bytes[place..<(place + length)])))
            } catch {
                result = .failure(error)
            }
        }
        let taken = try result.get()
        place += taken
        count += taken
    }

    /// Whether these are the next bytes.
    mutating func matches(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var done = 0
        while done < bytes.count {
            refill()
            let length = min(bytes.count - done, Self.blockSize - place)
            let part = UnsafeRawBufferPointer(rebasing: bytes[done..<(done + length)])
            guard block.withUnsafeBytes({ Self.areEqual(part, $0.baseAddress! + place) }) else { return false }
            place += length
            count += length
            done += length
        }
        return true
    }

    /// Eight at a time: musl's memcmp takes one at a time.
    private static func areEqual(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawPointer) -> Bool {
        let whole = left.count & ~7
        for offset in stride(from: 0, to: whole, by: 8) {
            guard left.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
                == right.loadUnaligned(fromByteOffset: offset, as: UInt64.self) else { return false }
        }
        return (whole..<left.count).allSatisfy { left[$0] == right.load(fromByteOffset: $0, as: UInt8.self) }
    }
}
