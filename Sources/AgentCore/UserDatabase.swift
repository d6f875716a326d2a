/// Looks up users and groups in the text of a container's /etc/passwd and /etc/group, as an image's configuration names them.
public struct UserDatabase: Sendable {
    private let passwd: [UInt8]
    private let group: [UInt8]

    public init(passwd: [UInt8], group: [UInt8]) {
        self.passwd = passwd
        self.group = group
    }

    public struct Identity: Equatable, Sendable {
        public var user: UInt32
        public var group: UInt32
        /// Supplementary groups, each once, the primary one not among them.
        public var groups: [UInt32]
        public var home: [UInt8]
    }

    public enum Failure: Error, Equatable, Sendable {
        case noSuchUser([UInt8])
        case noSuchGroup([UInt8])
    }

    /// The most supplementary groups that a process may have (NGROUPS_MAX).
    public static let maximumGroups = 65536

    /// - Parameters:
    ///   - name: user, uid, user:group, uid:gid; empty: uid 0.
    ///   - additional: names or numbers of further groups.
    ///
    /// Without a group the user's own ones count, also those that list it as a member; with one only that. A number that is in
    /// no file is taken as it is; a name has to be there.
    public func identity(_ name: [UInt8], additional: [[UInt8]]) throws(Failure) -> Identity {
        let parts = name.split(separator: UInt8(ascii: ":"), maxSplits: 1, omittingEmptySubsequences: false).map { Array($0) }
        let userName = parts.first ?? []
        let groupName = parts.count > 1 ? parts[1] : []
        var identity = Identity(user: 0, group: 0, groups: [], home: [UInt8(ascii: "/")])
        let number = userName.isEmpty ? 0 : Self.number(userName)
        let entry = userName.isEmpty ? user(0) : user(named: userName) ?? number.flatMap { user($0) }
        if let entry {
            identity.user = entry.user
            identity.group = entry.group
            if !entry.home.isEmpty { identity.home = entry.home }
        } else if let number {
            identity.user = number
        } else {
            throw .noSuchUser(userName)
        }
        if !groupName.isEmpty {
            identity.group = try groupNumber(groupName)
        } else if let entry {
            for number in memberships(entry.name) { Self.add(number, to: &identity) }
        }
        for name in additional { Self.add(try groupNumber(name), to: &identity) }
        return identity
    }

    private static func add(_ number: UInt32, to identity: inout Identity) {
        guard number != identity.group, identity.groups.count < maximumGroups, !identity.groups.contains(number) else { return }
        identity.groups.append(number)
    }

    private struct User {
        var name: [UInt8]
        var user: UInt32
        var group: UInt32
        var home: [UInt8]
    }

    private func user(named name: [UInt8]) -> User? {
        firstUser { fields in fields[0].elementsEqual(name) }
    }

    private func user(_ number: UInt32) -> User? {
        firstUser { fields in Self.number(fields[2]) == number }
    }

    /// The first line of /etc/passwd with which `matches` agrees, of those that have numbers where they belong.
    private func firstUser(_ matches: ([ArraySlice<UInt8>]) -> Bool) -> User? {
        for line in Self.lines(passwd) {
            let fields = Self.fields(line)
            guard fields.count >= 4, !fields[0].isEmpty, let user = Self.number(fields[2]), let group = Self.number(fields[3]),
                  matches(fields)
            else { continue }
            return User(name: Array(fields[0]), user: user, group: group, home: fields.count > 5 ? Array(fields[5]) : [])
        }
        return nil
    }

    private func groupNumber(_ name: [UInt8]) throws(Failure) -> UInt32 {
        for line in Self.lines(group) {
            let fields = Self.fields(line)
            if fields.count >= 3, fields[0].elementsEqual(name), let number = Self.number(fields[2]) { return number }
        }
        guard let number = Self.number(name) else { throw .noSuchGroup(name) }
        return number
    }

    private func memberships(_ user: [UInt8]) -> [UInt32] {
        var numbers: [UInt32] = []
        for line in Self.lines(group) {
            let fields = Self.fields(line)
            guard fields.count >= 4, let number = Self.number(fields[2]) else { continue }
            if fields[3].split(separator: UInt8(ascii: ",")).contains(where: { $0.elementsEqual(user) }) { numbers.append(number) }
        }
        return numbers
    }

    private static func lines(_ text: [UInt8]) -> [ArraySlice<UInt8>] {
        text.split(separator: UInt8(ascii: "\n")).filter { $0.first != UInt8(ascii: "#") }
    }

    private static func fields(_ line: ArraySlice<UInt8>) -> [ArraySlice<UInt8>] {
        line.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
    }

    /// A decimal number below 2^32 - 1, which the kernel takes for "leave as it is".
    private static func number(_ text: some Collection<UInt8>) -> UInt32? {
        guard let number = Digits.decimal(text), number < UInt64(UInt32.max) else { return nil }
        return UInt32(number)
    }
}
