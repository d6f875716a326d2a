import AsyncHTTPClient
import FoundationEssentials
import NIOCore

/// Finds the Authorization header for a registry's own requests: Basic, or a token of the registry's realm.
///
/// Only challenges of the registry's own origin come here, and what it answers is only sent there.
actor Authorizer {
    private enum Method {
        /// The registry has not asked yet.
        case unknown
        case basic
        case bearer(TokenRealm)
    }

    private struct Token {
        let header: String
        let expiry: ContinuousClock.Instant
    }

    private let name: String
    private let transport: HTTPTransport
    private let find: @Sendable (String?) throws(RegistryError) -> Credentials?
    private var method = Method.unknown
    private var tokens: [[TokenScope]: Token] = [:]

    /// `credentials` finds those for a repository, or for the whole registry.
    init(
        name: String, transport: HTTPTransport,
        credentials: @escaping @Sendable (String?) throws(RegistryError) -> Credentials?
    ) {
        self.name = name
        self.transport = transport
        find = credentials
    }

    /// The header for a request that needs these scopes; nil as long as the registry has not asked for one.
    func header(for scopes: [TokenScope]) async throws(AttemptFailure) -> String? {
        switch method {
        case .unknown: return nil
        case .basic: return try credentials(scopes)?.basicHeader
        case .bearer(let realm):
            if let token = tokens[scopes], token.expiry > .now { return token.header }
            return try await fetch(scopes, from: realm)
        }
    }

    /// Takes the challenges of a 401 of the registry. Returns the header to try next; throws when there is nothing to try:
    /// `refused` is the header that did not do, nil when there was none.
    func answer(
        _ challenges: [AuthenticationChallenge], from origin: Origin, scopes: [TokenScope], refused: String?, reason: String
    ) async throws(AttemptFailure) -> String {
        let known = try credentials(scopes)
        if let challenge = challenges.first(where: { $0.scheme == "bearer" }) {
            let realm: TokenRealm
            do throws(RegistryError) {
                realm = try TokenRealm(challenge, from: origin, name: name)
            } catch {
                throw .final(error)
            }
            let isSame = if case .bearer(realm) = method { true } else { false }
            method = .bearer(realm)
            if let token = tokens[scopes], isSame, token.header != refused, token.expiry > .now { return token.header }
            tokens[scopes] = nil
            return try await fetch(scopes, from: realm)
        }
        guard challenges.contains(where: { $0.scheme == "basic" }) else {
            let schemes = challenges.map { quoted($0.scheme) }.joined(separator: ", ")
            let found = schemes.isEmpty ? "" : ", but \(schemes)"
            throw .final(.invalidAnswer(what: name, reason: "the registry wants neither Basic nor Bearer authentication\(found)"))
        }
        guard let known, known.identityToken == nil || !known.password.isEmpty else {
            throw .final(.notLoggedIn(registry: name, reason: reason))
        }
        guard refused != known.basicHeader else { throw .final(.refused(registry: name, user: known.user, reason: reason)) }
        method = .basic
        return known.basicHeader
    }

    /// Whether there are credentials for a repository, and whose: for the text of an error.
    func refusal(scopes: [TokenScope], reason: String) -> RegistryError {
        do throws(AttemptFailure) {
            guard let known = try credentials(scopes) else { return .notLoggedIn(registry: name, reason: reason) }
            return .refused(registry: name, user: known.user, reason: reason)
        } catch {
            return RegistryError(error)
        }
    }

    private func credentials(_ scopes: [TokenScope]) throws(AttemptFailure) -> Credentials? {
        do throws(RegistryError) {
            return try find(scopes.first?.repository)
        } catch {
            throw .final(error)
        }
    }

    private func fetch(_ scopes: [TokenScope], from realm: TokenRealm) async throws(AttemptFailure) -> String {
        let known = try credentials(scopes)
        let answer = try await transport.token(scopes: scopes.map(\.description), from: realm, with: known, registry: name)
        let header = "Bearer \(answer.token)"
        // Not to the last moment: the request that it is for is still to be sent.
        let usable = max(answer.lifetime - 10, answer.lifetime / 2)
        tokens[scopes] = Token(header: header, expiry: .now + .seconds(usable))
        return header
    }
}
