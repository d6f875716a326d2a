import Glibc
import LinuxSystem
import TestSupport

/// Drives a target without a fuzzer: with inputs that are the same for the same seed, each for itself.
public struct SeededRunner: ~Copyable {
    private let target: FuzzTarget
    private let seed: UInt64
    private let corpus: [[UInt8]]
    private let note: FileDescriptor

    /// Seconds that one input may take; then SIGALRM ends the process.
    public static let timeLimit: UInt32 = 60
    /// Bytes that a process may grow by while it runs inputs, once it has run some.
    private static let growthLimit: UInt64 = 128 << 20

    /// - Parameters:
    ///   - corpus: inputs of which some are made by changing them.
    ///   - note: a file that holds the input that runs: what is left when the process dies of it.
    public init(_ target: FuzzTarget, seed: UInt64, corpus: [[UInt8]], note: String) throws {
        self.target = target
        self.seed = seed
        self.corpus = corpus
        self.note = try .open(note, [.writeOnly, .create, .truncate])
    }

    /// Runs one input, noted and within its time.
    public func run(_ bytes: [UInt8]) throws {
        _ = ftruncate(note.raw, 0)
        lseek(note.raw, 0, SEEK_SET)
        try bytes.withUnsafeBytes { try note.writeAll($0) }
        alarm(Self.timeLimit)
        target.run(bytes)
        alarm(0)
    }

    /// Runs random inputs for so long, at least one; returns how many.
    public func run(nanoseconds: UInt64) throws -> Int {
        let memory = try ResidentMemory()
        let start = Clock.monotonicNanoseconds()
        var base: UInt64?
        var count = 0
        repeat {
            try run(input(count))
            count += 1
            // Caches are filled by then.
            if base == nil, Clock.monotonicNanoseconds() - start > nanoseconds / 3 { base = memory.bytes() }
        } while Clock.monotonicNanoseconds() - start < nanoseconds
        if let base, let now = memory.bytes() {
            require(now < base + Self.growthLimit, "the process has grown from \(base) to \(now) bytes in \(count) inputs")
        }
        return count
    }

    /// Input number `index`, whatever came before it.
    public func input(_ index: Int) -> [UInt8] {
        var random = SplitMix64(seed: seed &+ UInt64(index))
        guard !corpus.isEmpty, random.below(2) == 0 else {
            return random.bytes(random.below(random.below(4) == 0 ? target.maximumLength : 200))
        }
        var bytes = random.pick(corpus)
        var changes = FuzzInput(random.bytes(200))
        ByteMutation.mutate(&bytes, &changes)
        if random.below(4) == 0 { bytes += random.pick(corpus) }
        return Array(bytes.prefix(target.maximumLength))
    }
}
