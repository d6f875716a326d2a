import FoundationEssentials

/// What a registry is to believe that we are. Never printed.
public struct Credentials: Equatable, Sendable, CustomStringConvertible {
    public var user: String
    public var password: String
    /// A refresh token in place of the password, as `docker login` leaves it for registries that give one.
    public var identityToken: String?

    public init(user: String, password: String, identityToken: String? = nil) {
        self.user = user
        self.password = password
        self.identityToken = identityToken
    }

    /// Parses USER:PASSWORD; nil where there is no colon. A user name has none in it, the password may.
    public init?(parsing text: String) {
        guard let colon = text.firstIndex(of: ":"), colon > text.startIndex else { return nil }
        self.init(user: String(text[..<colon]), password: String(text[text.index(after: colon)...]))
    }

    public var description: String { "credentials of \(user)" }

    /// USER:PASSWORD in base64, as HTTP's Basic scheme and authentication files have them.
    var encoded: String { Data("\(user):\(password)".utf8).base64EncodedString() }

    /// From `encoded`; Docker ends some with NULs.
    init?(encoded: String) {
        guard let data = Data(base64Encoded: encoded) else { return nil }
        var text = String(decoding: data, as: UTF8.self)
        while text.hasSuffix("\0") { text.removeLast() }
        self.init(parsing: text)
    }

    /// The value of an Authorization header. Source: RFC 7617.
    var basicHeader: String { "Basic \(encoded)" }
}
