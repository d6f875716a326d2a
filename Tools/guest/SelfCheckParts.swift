/// Memory whose every word follows from its place and from how often it was written. A slice at a time is compared and rewritten.
struct PatternMemory {
    static let sliceCount = 8

    private let words: UnsafeMutableBufferPointer<UInt64>
    private let seed: UInt64
    private var generations = [UInt64](repeating: 0, count: Self.sliceCount)
    private var next = 0

    init(bytes: Int, seed: UInt64) throws(Failure) {
        let count = bytes / 8 / Self.sliceCount * Self.sliceCount
        guard count > 0, let start = guest_map(count * 8) else { throw Failure("memory of \(bytes) bytes", .current) }
        words = UnsafeMutableRawBufferPointer(start: start, count: count * 8).bindMemory(to: UInt64.self)
        self.seed = seed
        for slice in 0..<Self.sliceCount { write(slice) }
    }

    mutating func checkNextSlice() throws(Failure) {
        let slice = next
        next = (next + 1) % Self.sliceCount
        for index in range(slice) {
            let expected = value(index, generations[slice])
            guard words[index] == expected else {
                throw Failure("word \(index) of the memory is \(words[index]), expected \(expected), of writing \(generations[slice])")
            }
        }
        generations[slice] += 1
        write(slice)
    }

    private func write(_ slice: Int) {
        let generation = generations[slice]
        for index in range(slice) { words[index] = value(index, generation) }
    }

    private func range(_ slice: Int) -> Range<Int> {
        let count = words.count / Self.sliceCount
        return (slice * count)..<((slice + 1) * count)
    }

    private func value(_ index: Int, _ generation: UInt64) -> UInt64 {
        (UInt64(index) &+ 1) &* 0x9E37_79B9_7F4A_7C15 ^ (generation << 8 | seed) &* 0xC2B2_AE3D_27D4_EB4F
    }
}

/// A part of the disk, to which numbered blocks with a checksum are written.
///
/// A block of 4096 bytes: its number, its place on the disk, words that follow from both, and the sum of all that.
struct NumberedBlocks {
    private let disk: Disk
    private let first: Int
    /// Of each block of the part: the number that it holds, 0 before it is written.
    private var numbers: [UInt64]
    private let buffer: UnsafeMutableRawBufferPointer
    private var random: Random
    private var count: UInt64 = 0

    private static let writesPerRound = 4
    private static let readsPerRound = 4

    init(_ options: Options, part: Int, of parts: Int) throws(Failure) {
        let isDirect = (options.value("mode") ?? "direct") == "direct"
        disk = try Disk(options, O_RDWR | (isDirect ? guest_o_direct() : 0))
        let size = disk.blockCount / parts
        first = part * size
        numbers = [UInt64](repeating: 0, count: size)
        buffer = try pages(1)
        random = Random(state: UInt64(part + 1))
    }

    mutating func checkAndWrite(flushes: Bool) throws(Failure) {
        for _ in 0..<Self.writesPerRound {
            count += 1
            // An odd factor: as good as everywhere in turn.
            let index = Int(truncatingIfNeeded: count &* 40503) % numbers.count
            fill(number: count, block: first + index)
            guard pwrite(disk.file, buffer.baseAddress!, buffer.count, off_t((first + index) * buffer.count)) == buffer.count else {
                throw Failure("write \(count) to block \(first + index)", .current)
            }
            numbers[index] = count
        }
        if flushes { try disk.flush() }
        for _ in 0..<Self.readsPerRound {
            let earlier = 1 + random.next() % count
            try check(Int(truncatingIfNeeded: earlier &* 40503) % numbers.count)
        }
    }

    private func check(_ index: Int) throws(Failure) {
        let block = first + index
        guard pread(disk.file, buffer.baseAddress!, buffer.count, off_t(block * buffer.count)) == buffer.count else {
            throw Failure("read of block \(block)", .current)
        }
        let words = buffer.bindMemory(to: UInt64.self)
        let sum = words[..<(words.count - 1)].reduce(0) { $0 &+ $1 }
        let found = "block \(block) has number \(words[0]) and place \(words[1]), expected number \(numbers[index])"
        guard sum == words[words.count - 1] else { throw Failure("\(found); its sum is wrong") }
        guard words[0] == numbers[index], words[1] == UInt64(block) else { throw Failure(found) }
    }

    private func fill(number: UInt64, block: Int) {
        let words = buffer.bindMemory(to: UInt64.self)
        var values = Random(state: number << 24 ^ UInt64(block))
        var sum: UInt64 = 0
        for index in 0..<(words.count - 1) {
            words[index] = index == 0 ? number : index == 1 ? UInt64(block) : values.next()
            sum &+= words[index]
        }
        words[words.count - 1] = sum
    }
}

/// A peer that sends back each datagram.
struct Peer {
    private let file: Int32
    private var number: UInt64 = 0
    private var message = [UInt64](repeating: 0, count: 128)
    private var answer = [UInt64](repeating: 0, count: 128)

    /// How often a datagram is sent, and for how long each time an answer is waited for.
    private static let (attempts, milliseconds) = (600, 100 as Int32)

    init(_ word: String) throws(Failure) {
        let parts = word.utf8.split(separator: UInt8(ascii: ":")).map { text(Array($0)[...]) }
        guard parts.count == 2, let port = UInt16(parts[1]) else { throw Failure("test.peer=\(word): expected ADDRESS:PORT") }
        file = guest_connect_udp(parts[0], port)
        guard file >= 0 else { throw Failure("UDP to \(word)", .current) }
    }

    /// Sends the next message until it comes back; how many have.
    mutating func exchange() throws(Failure) -> UInt64 {
        number += 1
        var random = Random(state: number)
        for index in message.indices { message[index] = index == 0 ? number : random.next() }
        for _ in 0..<Self.attempts {
            // Not heard, as long as nobody is there to hear it.
            _ = write(file, message, message.count * 8)
            if try receive() { return number }
        }
        throw Failure("message \(number) was sent \(Self.attempts) times, and no answer came")
    }

    /// Whether the answer came; what comes late of earlier messages is passed over.
    private mutating func receive() throws(Failure) -> Bool {
        while true {
            var entry = pollfd(fd: file, events: Int16(POLLIN), revents: 0)
            guard poll(&entry, 1, Self.milliseconds) > 0 else { return false }
            let count = read(file, &answer, answer.count * 8)
            // An ICMP error of the peer's host: it is not there just now, and that was said at once.
            guard count >= 0 else {
                _ = guest_sleep(Int(Self.milliseconds) * 1_000_000)
                return false
            }
            guard count == answer.count * 8, answer[0] <= number else {
                throw Failure("an answer of \(count) bytes and number \(answer[0]) to message \(number)")
            }
            guard answer[0] == number else { continue }
            guard answer == message else { throw Failure("the answer to message \(number) has other bytes") }
            return true
        }
    }
}
