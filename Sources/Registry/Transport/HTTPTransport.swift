import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import Synchronization

/// Sends single requests: no redirects, no retries, no credentials of its own. Any task; `shutDown` comes last.
final class HTTPTransport: Sendable {
    let timeouts: Timeouts
    private let tls: TLSSettings
    private let proxies: ProxySettings
    /// The origin that need not prove who it is; nil for none.
    private let unverified: @Sendable (Origin) -> Bool
    private let clients = Mutex<[HTTPClient.Configuration.Proxy?: HTTPClient]>([:])

    /// An answer is no longer than this where it is read whole and not an image's.
    static let documentLimit = 1 << 20

    init(timeouts: Timeouts, tls: TLSSettings, proxies: ProxySettings, unverified: @escaping @Sendable (Origin) -> Bool) {
        self.timeouts = timeouts
        self.tls = tls
        self.proxies = proxies
        self.unverified = unverified
    }

    func shutDown() async {
        let clients = clients.withLock { clients in
            defer { clients = [:] }
            return clients.values.map { $0 }
        }
        // Fails only where it was shut down before.
        for client in clients { try? await client.shutdown() }
    }

    /// Sends a request and waits for the head of the answer. `sendsBody`: the answer comes only after a body of any length.
    func send(
        _ request: HTTPClientRequest, to origin: Origin, sendsBody: Bool = false
    ) async throws(AttemptFailure) -> HTTPClientResponse {
        var request = request
        request.headers.replaceOrAdd(name: "User-Agent", value: "svmm/0.1")
        if origin.scheme == .https {
            do throws(RegistryError) {
                request.tlsConfiguration = try tls.configuration(for: origin, isVerified: !unverified(origin))
            } catch {
                throw .final(error)
            }
        }
        let client = client(for: origin)
        // A body is watched by the time-out for bytes, and its answer likewise.
        let deadline = sendsBody ? NIODeadline.distantFuture : .now() + TimeAmount(timeouts.connect + timeouts.idle)
        do {
            return try await client.execute(request, deadline: deadline)
        } catch {
            throw .transport(TransportFailure(error, at: origin))
        }
    }

    /// Reads an answer of at most `limit` bytes.
    func collect(
        _ response: HTTPClientResponse, limit: Int, from origin: Origin, what: String
    ) async throws(AttemptFailure) -> [UInt8] {
        let tooLong = RegistryError.invalidAnswer(what: what, reason: "the answer has more than \(limit) bytes")
        let length = response.headers.first(name: "Content-Length").flatMap { UInt64($0) }
        guard length ?? 0 <= limit else { throw .final(tooLong) }
        let bytes: [UInt8]?
        do {
            bytes = try await limited(to: timeouts.document) {
                var bytes: [UInt8] = []
                for try await buffer in response.body {
                    guard bytes.count + buffer.readableBytes <= limit else { throw AttemptFailure.final(tooLong) }
                    bytes += buffer.readableBytesView
                }
                return bytes
            }
        } catch let error as AttemptFailure {
            throw error
        } catch {
            throw .transport(TransportFailure(error, at: origin))
        }
        guard let bytes else {
            throw .transport(TransportFailure(.timedOut, origin.description, "the answer does not end in time"))
        }
        return bytes
    }

    private func client(for origin: Origin) -> HTTPClient {
        let proxy = proxies.proxy(for: origin)
        return clients.withLock { clients in
            if let client = clients[proxy] { return client }
            var configuration = HTTPClient.Configuration()
            configuration.redirectConfiguration = .disallow
            configuration.decompression = .disabled
            configuration.proxy = proxy
            configuration.httpVersion = .http1Only
            configuration.timeout.connect = TimeAmount(timeouts.connect)
            configuration.timeout.read = TimeAmount(timeouts.idle)
            configuration.timeout.write = TimeAmount(timeouts.idle)
            // Whether it is tried again is decided here, above.
            configuration.connectionPool.retryConnectionEstablishment = false
            let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
            clients[proxy] = client
            return client
        }
    }
}

/// Why an attempt did not succeed.
enum AttemptFailure: Error, Sendable {
    /// It would not the next time either.
    case final(RegistryError)
    /// The server asks to come back, after so many seconds if it says so.
    case busy(RegistryError, retryAfter: Int?)
    case transport(TransportFailure)
}

extension HTTPTransport {
    /// Gets a token for these scopes. No redirect is followed: what is sent is for the realm alone.
    func token(
        scopes: [String], from realm: TokenRealm, with credentials: Credentials?, registry: String
    ) async throws(AttemptFailure) -> TokenAnswer {
        var request: HTTPClientRequest
        if let credentials, let token = credentials.identityToken {
            request = HTTPClientRequest(url: realm.url.absoluteString)
            request.method = .POST
            var fields = [(name: "grant_type", value: "refresh_token"), ("client_id", "svmm"), ("refresh_token", token)]
            if let service = realm.service { fields.append(("service", service)) }
            if !scopes.isEmpty { fields.append(("scope", scopes.joined(separator: " "))) }
            request.headers.add(name: "Content-Type", value: "application/x-www-form-urlencoded")
            request.body = .bytes(ByteBuffer(string: formEncoded(fields)))
        } else {
            request = HTTPClientRequest(url: realm.url(scopes: scopes, user: credentials?.user))
            if let credentials { request.headers.add(name: "Authorization", value: credentials.basicHeader) }
        }
        let response = try await send(request, to: realm.origin)
        let what = "\(realm.origin)"
        let bytes = try await collect(response, limit: Self.documentLimit, from: realm.origin, what: what)
        switch response.status.code {
        case 200:
            do throws(RegistryError) {
                return try TokenAnswer.parse(bytes, what: what)
            } catch {
                throw .final(error)
            }
        case 401, 403:
            let reason = ErrorAnswer.reason(bytes, status: response.status)
            if let credentials { throw .final(.refused(registry: registry, user: credentials.user, reason: reason)) }
            throw .final(.notLoggedIn(registry: registry, reason: reason))
        default:
            throw .answer(response, bytes, what: what)
        }
    }
}
