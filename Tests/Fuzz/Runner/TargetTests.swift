import FuzzTargets
import Glibc
import LinuxSystem
import TestSupport
import Testing

/// Each target in a process of its own: what kills it is one test's failure. Time is what more of it costs.
@Suite("Fuzz targets", .serialized)
struct TargetTests {
    /// All of them, those of the programs around the monitor too.
    static let targets = FuzzTarget.all + HostTargets.all
    static let names = targets.map(\.name)

    @Test("what once was found is not found again", arguments: names)
    func corpus(name: String) async throws {
        let note = Corpus.note(name)
        await #expect(processExitsWith: .success, "the input is in \(note)") { [name = name as String, note = note as String] in
            let runner = try SeededRunner(Self.target(name), seed: 0, corpus: [], note: note)
            for input in try Corpus.inputs(name) { try runner.run(input) }
            unlink(note)
        }
    }

    @Test("random inputs find nothing", arguments: names)
    func random(name: String) async throws {
        let seed = Corpus.seed
        let note = Corpus.note(name)
        print("random inputs of \(name): SVMM_FUZZ_SEED=\(seed)")
        await #expect(processExitsWith: .success, "SVMM_FUZZ_SEED=\(seed); the input is in \(note)") {
            [name = name as String, seed = seed as UInt64, note = note as String] in
            let runner = try SeededRunner(Self.target(name), seed: seed, corpus: Corpus.inputs(name), note: note)
            let seconds: UInt64 = getenv("SVMM_SLOW_TESTS") == nil ? 2 : 30
            guard try runner.run(nanoseconds: seconds * 1_000_000_000) > 0 else { exit(1) }
            unlink(note)
        }
    }

    @Test("every directory of the corpus belongs to a target")
    func directories() throws {
        let known = Set(Self.names)
        #expect(try Corpus.names().filter { !known.contains($0) } == [])
    }

    static func target(_ name: String) throws -> FuzzTarget {
        try #require(targets.first { $0.name == name })
    }
}
