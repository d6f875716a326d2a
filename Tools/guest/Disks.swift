/// Random writes that can be told again from their seed: `write` does them, `verify` compares, perhaps in another boot.
///
/// Writes are 1 to 16 blocks of 4096 bytes at any block of the disk. What a block holds follows from the seed, the
/// write's number and the block's place in it.
struct Pattern {
    static let blockSize = 4096
    static let longest = 16

    let seed: UInt64
    let blockCount: Int
    let byteCount: Int

    struct Write {
        let number: Int
        let block: Int
        let count: Int
    }

    /// Calls the body with each write, in order.
    func forEach(_ body: (Write) throws(Failure) -> Void) throws(Failure) {
        var random = Random(state: seed)
        var done = 0
        var number = 1
        while done < byteCount {
            let count = 1 + Int(random.next() % UInt64(Self.longest))
            let block = Int(random.next() % UInt64(blockCount - Self.longest))
            try body(Write(number: number, block: block, count: count))
            done += count * Self.blockSize
            number += 1
        }
    }

    /// Fills one block's bytes. Number 0 is the block that was never written, all zeros.
    func fill(_ block: UnsafeMutableRawBufferPointer, number: Int, place: Int) {
        var random = Random(state: seed ^ UInt64(number) &* 0x9E37_79B9_7F4A_7C15 &+ UInt64(place) << 56)
        for offset in stride(from: 0, to: Self.blockSize, by: 8) {
            block.storeBytes(of: number == 0 ? 0 : random.next(), toByteOffset: offset, as: UInt64.self)
        }
    }
}

/// George Marsaglia's xorshift64, preceded by one step of SplitMix64 so that similar seeds differ.
struct Random {
    private var value: UInt64

    init(state: UInt64) {
        var value = state &+ 0x9E37_79B9_7F4A_7C15
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        self.value = value ^ (value >> 31) | 1
    }

    mutating func next() -> UInt64 {
        value ^= value << 13
        value ^= value >> 7
        value ^= value << 17
        return value
    }
}

/// The disk that the options name, and its size.
struct Disk {
    let file: Int32
    let blockCount: Int

    /// - Parameter flags: of open(2).
    init(_ options: Options, _ flags: Int32) throws(Failure) {
        let name = options.value("disk") ?? "vda"
        do throws(Errno) {
            file = try open("/dev/" + name, flags)
        } catch {
            throw Failure("open \(name)", error)
        }
        blockCount = number("/sys/block/\(name)/size") / 8
        guard blockCount > Pattern.longest else { throw Failure("\(name) is too small") }
    }

    func flush() throws(Failure) {
        guard fsync(file) == 0 else { throw Failure("fsync", .current) }
    }
}

private func makePattern(_ options: Options, _ disk: Disk) -> Pattern {
    Pattern(seed: UInt64(options.number("seed", default: 1)), blockCount: disk.blockCount,
            byteCount: options.number("bytes", default: 1 << 20))
}

/// Memory for O_DIRECT, which wants it aligned. Never freed: the scenario is the process's last deed with it.
func pages(_ count: Int) throws(Failure) -> UnsafeMutableRawBufferPointer {
    guard let start = aligned_alloc(Pattern.blockSize, count * Pattern.blockSize) else { throw Failure("out of memory") }
    return UnsafeMutableRawBufferPointer(start: start, count: count * Pattern.blockSize)
}

private func block(_ buffer: UnsafeMutableRawBufferPointer, _ index: Int) -> UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(rebasing: buffer[(index * Pattern.blockSize)..<((index + 1) * Pattern.blockSize)])
}

/// `write`: `test.bytes=` at random, `test.mode=direct` past the page cache or `buffered` through it; then a flush.
func writePattern(_ options: Options) throws(Failure) {
    let isDirect = (options.value("mode") ?? "direct") == "direct"
    let disk = try Disk(options, O_RDWR | (isDirect ? guest_o_direct() : 0))
    let pattern = makePattern(options, disk)
    let buffer = try pages(Pattern.longest)
    var count = 0
    try pattern.forEach { (write) throws(Failure) in
        for place in 0..<write.count { pattern.fill(block(buffer, place), number: write.number, place: place) }
        let size = write.count * Pattern.blockSize
        let offset = off_t(write.block * Pattern.blockSize)
        guard pwrite(disk.file, buffer.baseAddress!, size, offset) == size else {
            throw Failure("write \(write.number)", .current)
        }
        count += 1
        // A flush between the writes, too, where others are on their way.
        if count % 1024 == 0 { try disk.flush() }
    }
    try disk.flush()
    say("wrote \(count) writes of seed \(pattern.seed)")
}

/// `verify`: every block of the disk against what `write` with the same options left, zeros where it left nothing.
func verifyPattern(_ options: Options) throws(Failure) {
    let disk = try Disk(options, O_RDONLY | guest_o_direct())
    let pattern = makePattern(options, disk)
    // Of each block: the number of the write that was last, and the block's place in it.
    var last = [UInt32](repeating: 0, count: disk.blockCount)
    try pattern.forEach { (write) throws(Failure) in
        for place in 0..<write.count { last[write.block + place] = UInt32(write.number << 4 | place) }
    }
    let chunk = 256
    let buffer = try pages(chunk)
    let expected = try pages(1)
    var written = 0
    for start in stride(from: 0, to: disk.blockCount, by: chunk) {
        let count = min(chunk, disk.blockCount - start)
        let size = count * Pattern.blockSize
        guard pread(disk.file, buffer.baseAddress!, size, off_t(start * Pattern.blockSize)) == size else {
            throw Failure("read of block \(start)", .current)
        }
        for index in 0..<count {
            let source = Int(last[start + index])
            if source != 0 { written += 1 }
            pattern.fill(expected, number: source >> 4, place: source & 15)
            guard memcmp(block(buffer, index).baseAddress!, expected.baseAddress!, Pattern.blockSize) == 0 else {
                throw Failure("block \(start + index) is not what write \(source >> 4) left")
            }
        }
    }
    say("verified \(disk.blockCount) blocks, \(written) of them written")
}

/// `enospc`: writes until the disk fails, then reads back what was written before.
func fillDisk(_ options: Options) throws(Failure) {
    let disk = try Disk(options, O_RDWR | guest_o_direct())
    let pattern = makePattern(options, disk)
    let buffer = try pages(Pattern.longest)
    let expected = try pages(1)
    var start = 0
    var error: Errno?
    while error == nil, start + Pattern.longest <= disk.blockCount {
        for place in 0..<Pattern.longest { pattern.fill(block(buffer, place), number: start + 1, place: place) }
        let count = pwrite(disk.file, buffer.baseAddress!, buffer.count, off_t(start * Pattern.blockSize))
        if count == buffer.count { start += Pattern.longest } else { error = .current }
    }
    guard let error else { throw Failure("the disk never failed") }
    say("disk error errno=\(error.code) after \(start) blocks")
    for first in stride(from: 0, to: start, by: Pattern.longest) {
        guard pread(disk.file, buffer.baseAddress!, buffer.count, off_t(first * Pattern.blockSize)) == buffer.count else {
            throw Failure("read of block \(first)", .current)
        }
        for place in 0..<Pattern.longest {
            pattern.fill(expected, number: first + 1, place: place)
            guard memcmp(block(buffer, place).baseAddress!, expected.baseAddress!, Pattern.blockSize) == 0 else {
                throw Failure("block \(first + place) was lost")
            }
        }
    }
}

/// `readonly`: a write is refused, and leaves nothing behind.
func writeReadOnlyDisk(_ options: Options) throws(Failure) {
    let name = options.value("disk") ?? "vda"
    let buffer = try pages(1)
    memset(buffer.baseAddress!, 0x5A, buffer.count)
    var error: Errno?
    do throws(Errno) {
        let file = try open("/dev/" + name, O_RDWR)
        defer { close(file) }
        guard pwrite(file, buffer.baseAddress!, buffer.count, 0) == buffer.count, fsync(file) == 0 else { throw .current }
    } catch let failure {
        error = failure
    }
    guard let error else { throw Failure("the write went through") }
    say("read-only errno=\(error.code)")
    let disk = try Disk(options, O_RDONLY | guest_o_direct())
    guard pread(disk.file, buffer.baseAddress!, buffer.count, 0) == buffer.count else { throw Failure("read", .current) }
    guard !buffer.contains(0x5A) else { throw Failure("the write left something behind") }
}

/// `flushes`: writes blocks of the disk, each one number over and over, says `flushed NUMBER` when that one and all before it
/// were flushed, and goes on until the disk is full.
///
/// Number n, from 1, is at block n * 40503 modulo the disk's blocks, a power of two. A flush comes after every 1 to 8 blocks.
func writeNumbers(_ options: Options) throws(Failure) {
    let isDirect = (options.value("mode") ?? "direct") == "direct"
    let disk = try Disk(options, O_RDWR | (isDirect ? guest_o_direct() : 0))
    let buffer = try pages(1)
    var random = Random(state: UInt64(options.number("seed", default: 1)))
    var untilFlush = 1
    for number in 1..<disk.blockCount {
        for offset in stride(from: 0, to: Pattern.blockSize, by: 8) {
            buffer.storeBytes(of: UInt64(number), toByteOffset: offset, as: UInt64.self)
        }
        let block = number &* 40503 & (disk.blockCount - 1)
        guard pwrite(disk.file, buffer.baseAddress!, buffer.count, off_t(block * Pattern.blockSize)) == buffer.count else {
            throw Failure("write \(number)", .current)
        }
        untilFlush -= 1
        if untilFlush == 0 {
            try disk.flush()
            say("flushed \(number)")
            untilFlush = 1 + Int(random.next() % 8)
        }
    }
}

/// `once`: reboots if the disk begins with zeros, after leaving a mark there; does nothing if the mark is there.
func rebootOnce(_ options: Options) throws(Failure) {
    let disk = try Disk(options, O_RDWR | guest_o_direct())
    let buffer = try pages(1)
    guard pread(disk.file, buffer.baseAddress!, buffer.count, 0) == buffer.count else { throw Failure("read", .current) }
    if buffer[0] == 1 { return }
    buffer[0] = 1
    guard pwrite(disk.file, buffer.baseAddress!, buffer.count, 0) == buffer.count else { throw Failure("write", .current) }
    try disk.flush()
    end(RB_AUTOBOOT)
}
