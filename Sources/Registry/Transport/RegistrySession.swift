import AsyncHTTPClient
import FoundationEssentials
import NIOCore
import NIOHTTP1
import Synchronization

/// A request to a registry, as often as it is sent.
struct RegistryRequest: Sendable {
    enum Target: Sendable {
        /// A path at the registry, with its query.
        case path(String)
        /// Where the registry said to go on.
        case location(URL)
    }

    var method: HTTPMethod = .GET
    var target: Target
    var headers: [(name: String, value: String)] = []
    /// Makes the body anew for each time it is sent.
    var body: (@Sendable () throws -> HTTPClientRequest.Body)?
    var scopes: [TokenScope] = []
    /// Begins the text of errors, for example an image's name.
    var what: String
}

/// An answer and who gave it, after redirects.
struct RegistryResponse: Sendable {
    let http: HTTPClientResponse
    let url: URL
    let origin: Origin
}

/// Requests to one registry: finds out where it answers, shows it credentials when it asks, follows redirects and tries again.
///
/// Any task may use it. Credentials go to the registry's own origin, and to its token realm, and to nobody else.
final class RegistrySession: Sendable {
    let name: RegistryName
    let transport: HTTPTransport
    let authorizer: Authorizer
    private let retries: RetryPolicy
    private let mayBeInsecure: Bool
    private let state = Mutex(State())

    private struct State {
        var endpoint: Origin?
        var hasAnswered = false
    }

    /// How many redirects in a row are followed.
    private static let redirectLimit = 5

    init(name: RegistryName, transport: HTTPTransport, authorizer: Authorizer, retries: RetryPolicy, mayBeInsecure: Bool) {
        self.name = name
        self.transport = transport
        self.authorizer = authorizer
        self.retries = retries
        self.mayBeInsecure = mayBeInsecure
    }

    /// Where the registry answers. One that may be insecure is asked by TLS first, and without it when that fails.
    func endpoint() async throws(AttemptFailure) -> Origin {
        if let known = state.withLock({ $0.endpoint }) { return known }
        var found = name.origin(.https)
        if mayBeInsecure {
            do throws(AttemptFailure) {
                _ = try await transport.send(HTTPClientRequest(url: "\(found)/v2/"), to: found)
            } catch {
                guard case .transport(let failure) = error else { throw error }
                switch failure.kind {
                case .refused, .noTLS, .tls, .broken: found = name.origin(.http)
                default: throw error
                }
                do throws(AttemptFailure) {
                    _ = try await transport.send(HTTPClientRequest(url: "\(found)/v2/"), to: found)
                } catch let second {
                    // The scheme's own port is another one: whichever was there to speak to us says what is wrong.
                    if case .transport(let other) = second, other.kind == .refused, failure.kind != .refused { throw error }
                    throw second
                }
            }
        }
        let endpoint = found
        state.withLock { $0.endpoint = endpoint }
        return endpoint
    }

    /// Sends a request once, which may take several exchanges, and returns the head of the answer: any status but a redirect,
    /// 401, 403 and those that say to try again.
    func exchange(_ request: RegistryRequest) async throws(AttemptFailure) -> RegistryResponse {
        let endpoint = try await endpoint()
        let first = try url(of: request.target, at: endpoint)
        var (url, origin) = (first.url, first.origin)
        var header = try await authorizer.header(for: request.scopes)
        var hasAnswered = false
        var redirects = 0
        while true {
            var next = HTTPClientRequest(url: url.absoluteString)
            next.method = request.method
            for (name, value) in request.headers { next.headers.add(name: name, value: value) }
            if let header, origin == endpoint { next.headers.add(name: "Authorization", value: header) }
            if let body = request.body {
                do {
                    next.body = try body()
                } catch {
                    throw .final(error as? RegistryError ?? .invalidAnswer(what: request.what, reason: shown("\(error)")))
                }
            }
            let response = try await transport.send(next, to: origin, sendsBody: request.body != nil)
            state.withLock { $0.hasAnswered = true }
            switch response.status.code {
            case 401 where origin == endpoint:
                let reason = try await reason(response, from: origin)
                guard !hasAnswered else { throw .final(await authorizer.refusal(scopes: request.scopes, reason: reason)) }
                hasAnswered = true
                let challenges = AuthenticationChallenge.parse(response.headers["WWW-Authenticate"])
                header = try await authorizer.answer(
                    challenges, from: endpoint, scopes: request.scopes, refused: header, reason: reason)
            case 403 where origin == endpoint:
                throw .final(await authorizer.refusal(scopes: request.scopes, reason: try await reason(response, from: origin)))
            case 301, 302, 303, 307, 308:
                guard request.method == .GET || request.method == .HEAD else {
                    let reason = "a redirect of a \(request.method.rawValue) request, which is not followed"
                    throw .final(.badRedirect(url: origin.description, reason: reason))
                }
                redirects += 1
                guard redirects <= Self.redirectLimit else {
                    throw .final(.badRedirect(url: endpoint.description, reason: "more than \(Self.redirectLimit) redirects"))
                }
                (url, origin) = try redirect(response, from: url, origin, registry: endpoint)
            case 408, 429, 500, 502, 503, 504:
                throw .answer(response, try await body(response, from: origin), what: request.what)
            default:
                return RegistryResponse(http: response, url: url, origin: origin)
            }
        }
    }

    /// Runs attempts until one succeeds or none is to be expected to. `progress` counts bytes: an attempt that got a good way
    /// further was not one of many in vain.
    func retrying<Result>(
        progress: () -> UInt64 = { 0 }, onDelay: (RegistryError, Duration) -> Void = { _, _ in },
        _ attempt: () async throws(AttemptFailure) -> Result
    ) async throws(RegistryError) -> Result {
        var failures = 0
        var lastProgress = progress()
        while true {
            let failure: AttemptFailure
            do throws(AttemptFailure) {
                return try await attempt()
            } catch {
                failure = error
            }
            let error = RegistryError(failure)
            let now = progress()
            if now >= lastProgress + (1 << 20) { (failures, lastProgress) = (0, now) }
            failures += 1
            var delay = retries.delay(after: failures)
            switch failure {
            case .final: throw error
            case .transport(let failure):
                guard failure.isTransient(afterAnswer: state.withLock { $0.hasAnswered }) else { throw error }
            case .busy(_, let seconds?):
                guard .seconds(seconds) <= retries.longestRetryAfter else { throw error }
                delay = max(.seconds(seconds), .zero)
            case .busy: break
            }
            guard failures < retries.attempts else { throw error }
            onDelay(error, delay)
            do {
                try await retries.sleep(delay)
            } catch {
                throw .cancelled
            }
        }
    }

    /// The body of an answer that reports an error, cut where it is too long to be one.
    func body(_ response: HTTPClientResponse, from origin: Origin) async throws(AttemptFailure) -> [UInt8] {
        do throws(AttemptFailure) {
            return try await transport.collect(response, limit: 64 << 10, from: origin, what: name.description)
        } catch {
            if case .final = error { return [] }
            throw error
        }
    }

    private func reason(_ response: HTTPClientResponse, from origin: Origin) async throws(AttemptFailure) -> String {
        ErrorAnswer.reason(try await body(response, from: origin), status: response.status)
    }

    private func url(of target: RegistryRequest.Target, at endpoint: Origin) throws(AttemptFailure) -> (url: URL, origin: Origin) {
        switch target {
        case .path(let path):
            guard let url = URL(string: "\(endpoint)\(path)") else {
                throw .final(.invalidAnswer(what: name.description, reason: "\(quoted(path)) is no path"))
            }
            return (url, endpoint)
        case .location(let url):
            return (url, try check(url, from: endpoint, registry: endpoint))
        }
    }

    /// Where a redirect leads: not from TLS to without, and from elsewhere not to this machine.
    private func redirect(
        _ response: HTTPClientResponse, from url: URL, _ origin: Origin, registry: Origin
    ) throws(AttemptFailure) -> (URL, Origin) {
        guard let location = response.headers.first(name: "Location"), let target = Self.resolve(location, from: url) else {
            throw .final(.badRedirect(url: origin.description, reason: "a redirect to nowhere"))
        }
        return (target, try check(target, from: origin, registry: registry))
    }

    private func check(_ target: URL, from origin: Origin, registry: Origin) throws(AttemptFailure) -> Origin {
        func fail(_ reason: String) -> AttemptFailure { .final(.badRedirect(url: origin.description, reason: reason)) }
        guard let next = Origin(target) else {
            throw fail("a redirect to \(quoted(target.absoluteString)), which is no http or https URL")
        }
        guard next.scheme == .https || origin.scheme == .http else {
            throw fail("a redirect from TLS to \(quoted(next.description)), which is not followed")
        }
        guard !next.isLocal || registry.isLocal else {
            throw fail("a redirect to this machine or its link, \(quoted(next.description)), which is not followed")
        }
        return next
    }

    /// A URL that may be relative to that of the request, which had no fragment.
    static func resolve(_ location: String, from url: URL) -> URL? {
        guard location.utf8.count <= 8192, location.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return nil }
        return URL(string: location, relativeTo: url)?.absoluteURL
    }
}
