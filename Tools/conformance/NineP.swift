import Glibc

/// What a 9p mount cannot do, by the protocol or by Linux's client, and how that shows. README.md explains each.
enum NineP {
    /// The mount option.
    enum Cache: String, CaseIterable {
        case none, mmap, loose
    }

    struct Limit {
        let name: String
        /// What the case must say.
        let finding: String
        let reason: String
        var caches: [Cache] = Cache.allCases
    }

    static func limit(of name: String, _ cache: Cache) -> Limit? {
        limits.first { $0.name == name && $0.caches.contains(cache) }
    }

    static let limits = timeLimits + lockLimits + mappingLimits

    /// fs/9p sets no s_time_gran and no s_time_min of its own.
    private static let timeLimits: [Limit] = {
        let reason = "the client rounds times that are set to seconds, and has none before 1970"
        func limit(_ name: String, _ expected: Time, _ found: Time) -> Limit {
            Limit(name: name, finding: "modification time: expected \(expected), found \(found)", reason: reason)
        }
        var result = [
            limit("times: utimensat keeps \(Time(-1, 500_000_000))", Time(-1, 500_000_000), Time(0, 0)),
            limit("times: futimens and utimes set times", Time(12, 13), Time(12, 0)),
        ]
        for (seconds, nanoseconds) in [(1, 1), (1_000_000_000, 999_999_999), (2_147_483_647, 5), (2_147_483_648, 123_456_789)] {
            let time = Time(seconds, nanoseconds)
            result.append(limit("times: utimensat keeps \(time)", time, Time(seconds, 0)))
        }
        for name in ["unlinked: futimens changes its times", "times: utimensat of a directory keeps its times",
                     "times: UTIME_OMIT leaves a time", "times: UTIME_NOW for one time and a value for the other"] {
            result.append(limit(name, Time(2000, 2), Time(2000, 0)))
        }
        return result
    }()

    private static let lockLimits = [
        Limit(name: "locks: F_GETLK of a shared lock tells nothing to who wants a shared one",
              finding: "F_GETLK's type: expected \(F_UNLCK), found \(F_RDLCK)",
              reason: "the client asks for any lock, whatever type is wanted"),
        Limit(name: "locks: flock: a child process shares the lock of its parent's descriptor",
              finding: "flock: expected success, found EAGAIN", reason: "the protocol knows locks of processes only"),
        Limit(name: "locks: OFD locks are inherited by a child process",
              finding: "F_OFD_SETLK: expected success, found EAGAIN", reason: "the protocol knows locks of processes only"),
        Limit(name: "locks: flock: locks of fcntl do not meet those of flock",
              finding: "F_SETLK: expected success, found EAGAIN", reason: "the client makes flock a lock of the whole file"),
    ]

    private static let mappingLimits = [
        Limit(name: "mappings: a store to a shared mapping is read by descriptor at once",
              finding: "contents: byte 0: expected 102, found \(pattern(101)[100])",
              reason: "with cache=mmap reads go to the server, and what is mapped follows with msync", caches: [.mmap]),
    ]
}
