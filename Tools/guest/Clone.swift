/// `clone`: fills `test.mib=` MiB, and then does what the lines that are typed say: for a guest that is saved, and restored more than
/// once. Answers as `vsock` does.
func beCloned(_ options: Options) throws(Failure) {
    let memory = try Filling(bytes: options.number("mib", default: 64) << 20)
    try answerLines { words in
        do throws(Failure) {
            return try answer(words, memory, options)
        } catch {
            return "FAIL \(error.reason)"
        }
    }
}

private func answer(_ words: [String], _ memory: Filling, _ options: Options) throws(Failure) -> String {
    switch words.first ?? "" {
    case "check": try memory.check()
    case "clocks": return "uptime=\(guest_nanoseconds() / 1_000_000_000) time=\(time(nil))"
    case "deafen": try stopHearingOfGenerations()
    case "draw": return "random=\(try randomDigits())"
    case "forks": return "forks=\(try KernelLog().count(forks))"
    case "forked": return "forks=\(try KernelLog().await(Int(words.count > 1 ? words[1] : "") ?? 1, forks))"
    case "mark": try mark(words.count > 1 ? words[1] : "", options)
    case "marked": return "mark=\(try readMark(options))"
    case "reseed": guard guest_reseed() == 0 else { throw Failure("RNDRESEEDCRNG", .current) }
    case "warnings": printKernelWarnings()
    default: throw Failure("no such command")
    }
    return "ok"
}

/// Memory in which no page is like another.
private struct Filling {
    private let words: UnsafeMutableBufferPointer<UInt64>

    init(bytes: Int) throws(Failure) {
        guard let start = guest_map(bytes) else { throw Failure("mmap", .current) }
        words = UnsafeMutableRawBufferPointer(start: start, count: bytes).bindMemory(to: UInt64.self)
        var random = Random(state: 1)
        for index in words.indices { words[index] = random.next() }
    }

    func check() throws(Failure) {
        var random = Random(state: 1)
        for index in words.indices {
            let expected = random.next()
            guard words[index] == expected else { throw Failure("word \(index) of the memory is \(words[index]), expected \(expected)") }
        }
    }
}

// MARK: Random numbers

/// What the kernel says when it has begun anew with its random numbers for a new generation ID (drivers/char/random.c), which it does
/// only when it had random numbers already.
private let forks = "crng reseeded due to virtual machine fork"

private func randomDigits() throws(Failure) -> String {
    var bytes = [UInt8](repeating: 0, count: 16)
    guard guest_random(&bytes, bytes.count) == bytes.count else { throw Failure("getrandom", .current) }
    return bytes.reduce(into: "") { $0 += ($1 < 16 ? "0" : "") + String($1, radix: 16) }
}

/// Takes the device with the generation ID away from its driver, which then hears of no new one.
private func stopHearingOfGenerations() throws(Failure) {
    let driver = "/sys/bus/acpi/drivers/vmgenid"
    guard let device = names(in: driver).first(where: { contains(Array($0.utf8), ":") }) else { throw Failure("vmgenid has no device") }
    do throws(Errno) {
        let file = try open(driver + "/unbind", O_WRONLY)
        defer { close(file) }
        let count = device.utf8.count
        guard write(file, device, count) == count else { throw .current }
    } catch {
        throw Failure("unbind of \(device)", error)
    }
}

/// The kernel's messages from the first one on.
private struct KernelLog {
    private let file: Int32

    init() throws(Failure) {
        do throws(Errno) {
            file = try open("/dev/kmsg", O_RDONLY | O_NONBLOCK)
        } catch {
            throw Failure("/dev/kmsg", error)
        }
    }

    /// How many of the messages that have come say this.
    func count(_ words: String) throws(Failure) -> Int {
        defer { close(file) }
        return try countNext(words)
    }

    /// As `count`, but waits until there are so many.
    func await(_ least: Int, _ words: String) throws(Failure) -> Int {
        defer { close(file) }
        var found = 0
        for _ in 0..<600 {
            found += try countNext(words)
            if found >= least { return found }
            var entry = pollfd(fd: file, events: Int16(POLLIN), revents: 0)
            guard poll(&entry, 1, 100) >= 0 else { throw Failure("poll", .current) }
        }
        throw Failure("the kernel has said \(found) times, expected \(least): \(words)")
    }

    private func countNext(_ words: String) throws(Failure) -> Int {
        var record = [UInt8](repeating: 0, count: 8192)
        var found = 0
        while true {
            let count = read(file, &record, record.count)
            if count > 0 {
                if contains(Array(record[..<count]), words) { found += 1 }
                continue
            }
            // A record that was overwritten before it was read.
            if count < 0, guest_errno() == EPIPE { continue }
            guard count < 0, guest_errno() == EAGAIN else { throw Failure("read of /dev/kmsg", .current) }
            return found
        }
    }
}

// MARK: A disk of one's own

/// Writes a word to the disk's first block.
private func mark(_ word: String, _ options: Options) throws(Failure) {
    let disk = try Disk(options, O_RDWR | guest_o_direct())
    defer { close(disk.file) }
    let buffer = try pages(1)
    defer { free(buffer.baseAddress) }
    memset(buffer.baseAddress!, 0, buffer.count)
    for (index, byte) in word.utf8.enumerated() where index < buffer.count - 1 { buffer[index] = byte }
    guard pwrite(disk.file, buffer.baseAddress!, buffer.count, 0) == buffer.count else { throw Failure("write", .current) }
    try disk.flush()
}

private func readMark(_ options: Options) throws(Failure) -> String {
    let disk = try Disk(options, O_RDONLY | guest_o_direct())
    defer { close(disk.file) }
    let buffer = try pages(1)
    defer { free(buffer.baseAddress) }
    guard pread(disk.file, buffer.baseAddress!, buffer.count, 0) == buffer.count else { throw Failure("read", .current) }
    return text(Array(buffer.prefix { $0 != 0 })[...])
}
