import Networks

/// What a container is connected to.
public enum ContainerNetwork: Sendable, Equatable {
    case none
    /// The user's own network by passt(1), without rights on the host.
    case user
    /// Networks of svmm's own, and what others have made: at least one, in the order of the guest's interfaces eth0, eth1….
    case attached([NetworkAttachment])

    public static let maximumAttachments = 8

    /// One word, or names with commas between them.
    public var text: String {
        switch self {
        case .none: "none"
        case .user: "user"
        case .attached(let attachments): attachments.map(\.place).joined(separator: ",")
        }
    }
}

/// One interface of a container's.
public struct NetworkAttachment: Codable, Sendable, Equatable {
    /// The name of a network, `ns:` and the path of a network namespace, or `cni:` and the name of a network of CNI.
    public var place: String
    /// What the container wants to have there; nil: any.
    public var address: IPAddress?
    public var address6: IPAddress?
    /// Six bytes.
    public var mac: [UInt8]?
    /// Further names of the container's on the network.
    public var aliases: [String]

    public init(place: String, address: IPAddress? = nil, address6: IPAddress? = nil, mac: [UInt8]? = nil, aliases: [String] = []) {
        self.place = place
        self.address = address
        self.address6 = address6
        self.mac = mac
        self.aliases = aliases
    }

    enum Kind: Equatable {
        case network(String)
        /// A path.
        case namespace(String)
        case cni(String)
    }

    var kind: Kind {
        if place.hasPrefix("ns:") { return .namespace(String(place.dropFirst(3))) }
        if place.hasPrefix("cni:") { return .cni(String(place.dropFirst(4))) }
        return .network(place)
    }
}

extension ContainerNetwork: Codable {
    /// A word, as in stores of versions that knew no others, or a list.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let attachments = try? container.decode([NetworkAttachment].self) {
            guard (1...Self.maximumAttachments).contains(attachments.count) else {
                throw DecodingError.dataCorruptedError(in: container, debugDescription: "\(attachments.count) networks")
            }
            self = .attached(attachments)
            return
        }
        switch try container.decode(String.self) {
        case "none": self = .none
        case "user": self = .user
        case let other: throw DecodingError.dataCorruptedError(in: container, debugDescription: "no network: \(other)")
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .none, .user: try container.encode(text)
        case .attached(let attachments): try container.encode(attachments)
        }
    }
}
