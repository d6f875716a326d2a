import CommandSupport
import MachineProtocol

extension ShareDescription {
    private static let form = "HOSTDIR:TAG[/NAME][,ro][,devices][,uidmap=passthrough|mapped|squash[=UID[:GID]]]"

    /// `--share HOSTDIR:TAG[/NAME][,ro][,devices][,uidmap=…]`. The directory's path may contain colons, and no comma.
    init(parsing argument: String) throws(Expected) {
        let words = argument.split(separator: ",", omittingEmptySubsequences: false)
        guard let first = words.first, let colon = first.lastIndex(of: ":"), colon > first.startIndex else {
            throw Expected(Self.form)
        }
        let (tag, name) = try Self.place(first[first.index(after: colon)...])
        self.init(path: String(first[..<colon]), tag: tag, name: name)
        for word in words.dropFirst() {
            if word == "ro" {
                readOnly = true
            } else if word == "devices" {
                allowsDevices = true
            } else if word.hasPrefix("uidmap=") {
                ownership = try ShareOwnership(parsing: word.dropFirst("uidmap=".count))
            } else {
                throw Expected("ro, devices or uidmap=… after the tag, found '\(word)'")
            }
        }
    }

    /// `TAG` or `TAG/NAME`.
    static func place(_ text: Substring) throws(Expected) -> (tag: String, name: String?) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let name = parts.count == 2 ? parts[1] : nil
        guard let tag = parts.first, tagLengths.contains(tag.utf8.count) else {
            throw Expected("a tag of 1 to \(tagLengths.upperBound) bytes")
        }
        if let name {
            guard tagLengths.contains(name.utf8.count), !name.contains("/"), name != ".", name != ".." else {
                throw Expected("a name of 1 to \(tagLengths.upperBound) bytes after TAG/, without / and neither . nor ..")
            }
        }
        return (tag, name)
    }

    /// `TAG/NAME`.
    static func sharePlace(_ text: String) throws(Expected) -> (tag: String, name: String) {
        guard case (let tag, let name?) = try place(text[...]) else { throw Expected("TAG/NAME") }
        return (tag, name)
    }

    /// As `--share` has it.
    var optionText: String {
        "\(path):\(tag)" + (name.map { "/" + $0 } ?? "") + (readOnly ? ",ro" : "") + (allowsDevices ? ",devices" : "")
            + ownership.optionText
    }
}

extension ShareOwnership {
    init(parsing word: Substring) throws(Expected) {
        switch word {
        case "passthrough": self = .passthrough
        case "mapped": self = .mapped
        case "squash": self = .squash(user: nil, group: nil)
        default:
            let parts = word.hasPrefix("squash=") ? word.dropFirst("squash=".count).split(separator: ":", omittingEmptySubsequences: false) : []
            guard (1...2).contains(parts.count), let user = Self.number(parts[0]),
                  let group = parts.count == 2 ? Self.number(parts[1]) : user else {
                throw Expected("uidmap=passthrough, mapped, squash or squash=UID[:GID], found 'uidmap=\(word)'")
            }
            self = .squash(user: user, group: group)
        }
    }

    /// The last number is none: Linux reads it as "unchanged".
    private static func number(_ text: Substring) -> UInt32? {
        UInt32(text).flatMap { $0 == .max ? nil : $0 }
    }

    fileprivate var optionText: String {
        switch self {
        case .automatic: ""
        case .passthrough: ",uidmap=passthrough"
        case .mapped: ",uidmap=mapped"
        case .squash(let user, let group):
            ",uidmap=squash" + (user.map { user in "=\(user)" + (group.map { ":\($0)" } ?? "") } ?? "")
        }
    }
}
