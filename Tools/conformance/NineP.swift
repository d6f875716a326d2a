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

    static let limits: [Limit] = []
}
