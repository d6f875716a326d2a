/// `selfcheck`: a process on each processor checks, until the power button is pressed, that memory and disk hold what was written to
/// them, clocks go forward and sleeps last, random numbers differ, and, with `test.peer=ADDRESS:PORT`, that a peer answers.
///
/// Says `round NUMBER messages=COUNT time=SECONDS` each time that all processes have been through all of their memory once more, and
/// FAIL at the first thing that is wrong.
func checkItself(_ options: Options) throws(Failure) {
    let count = max(names(in: "/sys/devices/system/cpu").reduce(0) { $0 + (isProcessor($1) ? 1 : 0) }, 1)
    let progress = try SharedProgress(workers: count)
    var button = try PowerButton()
    if options.value("peer") != nil {
        let address = options.value("address") ?? "10.9.0.2"
        guard guest_bring_up("eth0", address) == 0 else { throw Failure("eth0 \(address)", .current) }
    }
    for index in 0..<count {
        let child = guest_fork()
        guard child >= 0 else { throw Failure("fork", .current) }
        if child == 0 { work(index, progress, options) }
    }
    var said: UInt64 = 0
    while try !button.isPressed(within: 20) {
        // One that has something wrong has said so.
        guard waitpid(-1, nil, Int32(WNOHANG)) == 0 else { throw Failure("a process has ended") }
        sayRounds(progress, &said)
    }
    progress.isEnding = true
    for _ in 0..<count {
        var status: Int32 = 0
        guard waitpid(-1, &status, 0) > 0, status == 0 else { throw Failure("a process has ended with \(guest_exit_status(status))") }
    }
    sayRounds(progress, &said)
    printKernelWarnings()
    say("button")
}

private func isProcessor(_ name: String) -> Bool {
    let digits = name.utf8.dropFirst(3)
    return name.utf8.starts(with: "cpu".utf8) && !digits.isEmpty && digits.allSatisfy { (48...57).contains($0) }
}

/// Each of them, also where all processes have come further since.
private func sayRounds(_ progress: SharedProgress, _ said: inout UInt64) {
    let least = progress.leastRound
    while said + UInt64(PatternMemory.sliceCount) <= least {
        said += UInt64(PatternMemory.sliceCount)
        say("round \(said) messages=\(progress.messageCount) time=\(time(nil))")
    }
}

private func work(_ index: Int, _ progress: SharedProgress, _ options: Options) -> Never {
    do throws(Failure) {
        var worker = try Worker(index, progress, options)
        while !progress.isEnding { try worker.doRound() }
        _exit(0)
    } catch {
        say("FAIL selfcheck processor \(index): \(error.reason)")
        _exit(1)
    }
}

/// What the processes know of each other.
private struct SharedProgress {
    private let words: UnsafeMutablePointer<UInt64>
    let workerCount: Int

    private static let (ending, clock, messages, rounds) = (0, 1, 2, 3)

    init(workers: Int) throws(Failure) {
        workerCount = workers
        guard let words = guest_share((Self.rounds + workers) * 8) else { throw Failure("mmap", .current) }
        self.words = words
    }

    var isEnding: Bool {
        get { guest_load(words + Self.ending) != 0 }
        nonmutating set { guest_store(words + Self.ending, newValue ? 1 : 0) }
    }

    var messageCount: UInt64 {
        get { guest_load(words + Self.messages) }
        nonmutating set { guest_store(words + Self.messages, newValue) }
    }

    var leastRound: UInt64 { (0..<workerCount).map { guest_load(words + Self.rounds + $0) }.min() ?? 0 }

    func finish(round: UInt64, of worker: Int) { guest_store(words + Self.rounds + worker, round) }

    /// Reads CLOCK_MONOTONIC, which goes back on no processor, whichever has read it before.
    func readClock() throws(Failure) -> UInt64 {
        let before = guest_load(words + Self.clock)
        let now = guest_nanoseconds()
        guard now >= before else { throw Failure("CLOCK_MONOTONIC went back by \(before - now) ns, to \(now)") }
        guest_raise(words + Self.clock, now)
        return now
    }
}

private struct Worker {
    private let index: Int
    private let progress: SharedProgress
    private var memory: PatternMemory
    private var disk: NumberedBlocks
    private var peer: Peer?
    private var lastRandom: [UInt8] = []
    private var round: UInt64 = 0

    private static let clockReadings = 500
    private static let sleep: UInt64 = 10_000_000

    init(_ index: Int, _ progress: SharedProgress, _ options: Options) throws(Failure) {
        self.index = index
        self.progress = progress
        guard guest_pin(Int32(index)) == 0 else { throw Failure("sched_setaffinity", .current) }
        memory = try PatternMemory(bytes: (options.number("mib", default: 8) << 20) / progress.workerCount, seed: UInt64(index))
        disk = try NumberedBlocks(options, part: index, of: progress.workerCount)
        peer = try index == 0 ? options.value("peer").map { (word) throws(Failure) in try Peer(word) } : nil
    }

    mutating func doRound() throws(Failure) {
        try memory.checkNextSlice()
        try disk.checkAndWrite(flushes: round % 8 == 7)
        for _ in 0..<Self.clockReadings { _ = try progress.readClock() }
        try checkSleep()
        try checkRandom()
        if let count = try peer?.exchange() { progress.messageCount = count }
        round += 1
        progress.finish(round: round, of: index)
    }

    private func checkSleep() throws(Failure) {
        let start = try progress.readClock()
        guard guest_sleep(Int(Self.sleep)) == 0 else { throw Failure("nanosleep", .current) }
        let time = try progress.readClock() - start
        guard time >= Self.sleep else { throw Failure("a sleep of \(Self.sleep) ns took \(time)") }
    }

    private mutating func checkRandom() throws(Failure) {
        var bytes = [UInt8](repeating: 0, count: 16)
        guard guest_random(&bytes, bytes.count) == bytes.count else { throw Failure("getrandom", .current) }
        guard bytes != lastRandom else { throw Failure("getrandom gave the same twice") }
        lastRandom = bytes
    }
}
