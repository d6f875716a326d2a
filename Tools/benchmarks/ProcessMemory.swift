import Glibc
import LinuxSystem

/// What a monitor's process has in memory beside its guest's: from /proc/PID/smaps.
struct MemoryOverhead {
    /// MiB of resident pages.
    let resident: Double
    /// The same, with each page divided by the number of processes that share it.
    let proportional: Double

    private struct Mapping {
        var size = 0
        var resident = 0
        var proportional = 0
    }

    /// - Parameter guestMemory: KiB. The mapping of that size is the guest's; else the largest is.
    init(of process: pid_t, guestMemory: Int) throws {
        let path = "/proc/\(process)/smaps"
        guard let bytes = contents(ofSmallFile: path) else { throw BenchmarkError("\(path) cannot be read") }
        let mappings = Self.parse(bytes)
        let guest = mappings.first { $0.size == guestMemory } ?? mappings.max { $0.size < $1.size }
        guard let guest, guest.size >= guestMemory else {
            throw BenchmarkError("\(path): no mapping is large enough for the guest's memory")
        }
        resident = Double(mappings.reduce(0) { $0 + $1.resident } - guest.resident) / 1024
        proportional = Double(mappings.reduce(0) { $0 + $1.proportional } - guest.proportional) / 1024
    }

    /// Mappings in KiB. Each begins with its "Size:" line (proc(5)).
    private static func parse(_ bytes: [UInt8]) -> [Mapping] {
        var mappings: [Mapping] = []
        for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count == 3, words[2] == "kB", let count = Int(words[1]) else { continue }
            switch words[0] {
            case "Size:": mappings.append(Mapping(size: count))
            case "Rss:": mappings[mappings.count - 1].resident = count
            case "Pss:": mappings[mappings.count - 1].proportional = count
            default: break
            }
        }
        return mappings
    }
}
