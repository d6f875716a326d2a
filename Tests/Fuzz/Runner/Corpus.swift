import Glibc
import LinuxSystem
import TestSupport

/// The inputs in Tests/Fuzz/Corpus, one directory for each target.
enum Corpus {
    private static let directory = "\(#filePath.dropLast("Runner/Corpus.swift".count))Corpus"

    /// SVMM_FUZZ_SEED, or another one each time.
    static let seed = getenv("SVMM_FUZZ_SEED").flatMap { UInt64(String(cString: $0)) } ?? UInt64.random(in: 0 ... .max)

    static func names() throws -> [String] { try LinuxSystem.names(inDirectory: directory) }

    /// In the order of their names; none for a target without a directory.
    static func inputs(_ target: String) throws -> [[UInt8]] {
        guard try names().contains(target) else { return [] }
        let path = "\(directory)/\(target)"
        return try LinuxSystem.names(inDirectory: path).sorted().map { name in
            guard let bytes = contents(ofSmallFile: "\(path)/\(name)", limit: 1 << 20) else {
                throw TimeoutError(what: "\(path)/\(name) cannot be read")
            }
            return bytes
        }
    }

    /// Where the input that runs is noted.
    static func note(_ target: String) -> String { "/tmp/svmm-fuzz-\(target)-\(getpid())" }
}
