import LinuxSystem

/// The host's resolvers, as /etc/resolv.conf names them (resolv.conf(5)). The file is read again at each use: that costs less than a
/// question.
final class ResolverFile {
    /// As many as the C library asks (MAXNS).
    private static let most = 3
    private static let largest = 1 << 14

    private let path: String
    /// What listens here ourselves: it would ask itself.
    private let excluded: Set<InternetAddress>
    private var contents: [UInt8]?
    private var resolvers: [InternetAddress]
    /// Which of them has answered last.
    private var preferred = 0

    init(_ path: String, excluding addresses: some Sequence<InternetAddress>) {
        self.path = path
        excluded = Set(addresses.map(\.withoutScope))
        resolvers = Self.parse([], excluding: excluded)
    }

    /// In the order in which they are to be asked: from the one that answered last.
    func current() -> [InternetAddress] {
        let found = contentsWithoutWaiting(path, limit: Self.largest) ?? []
        if found != contents {
            contents = found
            resolvers = Self.parse(found, excluding: excluded)
            preferred = 0
        }
        return Array(resolvers[preferred...] + resolvers[..<preferred])
    }

    func prefer(_ address: InternetAddress) {
        if let index = resolvers.firstIndex(of: address) { preferred = index }
    }

    /// Without a line of a name server, or a file, there is one on the host itself.
    static func parse(_ bytes: [UInt8], excluding excluded: Set<InternetAddress> = []) -> [InternetAddress] {
        var found: [InternetAddress] = []
        for line in String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline) {
            let words = line.split { $0 == " " || $0 == "\t" }
            guard words.count >= 2, words[0] == "nameserver", let address = InternetAddress(words[1]) else { continue }
            if found.count < most { found.append(address) }
        }
        if found.isEmpty, let local = InternetAddress("127.0.0.1") { found = [local] }
        return found.filter { !excluded.contains($0.withoutScope) }
    }
}
