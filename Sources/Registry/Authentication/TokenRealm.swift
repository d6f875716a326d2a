import FoundationEssentials

/// Where a registry says that tokens are to be had. Source: distribution's token authentication specification.
struct TokenRealm: Hashable, Sendable {
    let url: URL
    let origin: Origin
    let service: String?

    /// Checks what a bearer challenge says, before anybody is asked or told anything.
    ///
    /// The registry chooses who gets the user's password, and the user trusts it with that: but not in clear text, and not
    /// with requests to this machine or its link from a registry elsewhere. A registry that is itself reached without TLS
    /// may have its realm at the same host likewise.
    init(_ challenge: AuthenticationChallenge, from registry: Origin, name: String) throws(RegistryError) {
        guard let text = challenge.parameters["realm"] else {
            throw .invalidAnswer(what: name, reason: "the registry asks for a token, but does not say from where")
        }
        func fail(_ reason: String) -> RegistryError { .untrustedRealm(registry: name, realm: text, reason: reason) }
        guard text.utf8.count <= 2048, text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }), let url = URL(string: text),
              let origin = Origin(url), url.fragment == nil else {
            throw fail("expected an https URL, without user and password")
        }
        if origin.scheme == .http {
            guard registry.scheme == .http else { throw fail("expected an https URL") }
            guard origin.host == registry.host else {
                throw fail("a registry without TLS may have tokens given out by its own host, or by https")
            }
        }
        guard !origin.isLocal || registry.isLocal || origin.host == registry.host else {
            throw fail("it is an address of this machine or its link")
        }
        self.url = url
        self.origin = origin
        service = challenge.parameters["service"]
    }

    /// The URL that a token for these scopes is fetched from by GET.
    func url(scopes: [String], user: String?) -> String {
        var fields: [(name: String, value: String)] = []
        if let user { fields.append(("account", user)) }
        if let service { fields.append(("service", service)) }
        fields += scopes.map { ("scope", $0) }
        let text = url.absoluteString
        guard !fields.isEmpty else { return text }
        return text + (url.query(percentEncoded: true) == nil ? "?" : "&") + formEncoded(fields)
    }
}

/// What a token endpoint answers.
struct TokenAnswer: Sendable, Decodable {
    let token: String
    /// Seconds.
    let lifetime: Int

    private enum CodingKeys: String, CodingKey {
        case token
        case accessToken = "access_token"
        case lifetime = "expires_in"
    }

    init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        let found = try values.decodeIfPresent(String.self, forKey: .token).flatMap { $0.isEmpty ? nil : $0 }
        token = try found ?? values.decode(String.self, forKey: .accessToken)
        // As the specification has it where nothing is said, or no number; and what nobody can mean is not believed.
        lifetime = min(max((try? values.decode(Int.self, forKey: .lifetime)) ?? 60, 0), 24 * 3600)
    }

    /// Reads an answer; `what` begins the error's text.
    static func parse(_ bytes: [UInt8], what: String) throws(RegistryError) -> TokenAnswer {
        guard let answer = try? JSONDecoder().decode(TokenAnswer.self, from: Data(bytes)) else {
            throw .invalidAnswer(what: what, reason: "expected a JSON object with \"token\"")
        }
        guard !answer.token.isEmpty, answer.token.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw .invalidAnswer(what: what, reason: "the token has characters that no header can have")
        }
        return answer
    }
}
