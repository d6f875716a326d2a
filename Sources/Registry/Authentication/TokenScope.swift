/// What a token allows. Source: distribution's token scope documentation.
struct TokenScope: Hashable, Sendable, CustomStringConvertible {
    enum Access: String, Sendable {
        case pull
        case push = "pull,push"
    }

    let repository: String
    let access: Access

    var description: String { "repository:\(repository):\(access.rawValue)" }
}
