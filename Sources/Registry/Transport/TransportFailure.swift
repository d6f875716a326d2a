import AsyncHTTPClient
import LinuxSystem
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// Why a request got no answer, or not all of it.
struct TransportFailure: Error, Equatable, Sendable {
    enum Kind: Sendable {
        case unresolved
        case refused
        /// The certificate is not trusted, or is another host's.
        case certificate
        /// What answered a TLS greeting does not speak TLS.
        case noTLS
        case tls
        case timedOut
        /// The connection broke, or could not be made for a while.
        case broken
        /// The request is one that cannot be sent.
        case invalid
        case cancelled
    }

    let kind: Kind
    let place: String
    let reason: String

    init(_ kind: Kind, _ place: String, _ reason: String) {
        self.kind = kind
        self.place = place
        self.reason = reason
    }

    /// Whether the same request may succeed a moment later. Refused connections may when there was an answer before.
    func isTransient(afterAnswer hasAnswered: Bool) -> Bool {
        switch kind {
        case .timedOut, .broken: true
        case .refused, .unresolved: hasAnswered
        case .certificate, .noTLS, .tls, .invalid, .cancelled: false
        }
    }

    var registryError: RegistryError {
        switch kind {
        case .certificate, .noTLS, .tls: .tls(place, reason: reason)
        case .timedOut: .timedOut(place, what: reason)
        case .unresolved, .refused, .broken, .invalid: .unreachable(place, reason: reason)
        case .cancelled: .cancelled
        }
    }
}

extension TransportFailure {
    /// What the layers below say, in words of a person's.
    init(_ error: any Error, at origin: Origin) {
        let place = origin.description
        switch error {
        case let error as TransportFailure:
            self = error
        case is CancellationError:
            self.init(.cancelled, place, "cancelled")
        case let error as HTTPClientError:
            self.init(error, place)
        case let error as NIOConnectionError:
            self.init(error, at: origin)
        case let error as NIOSSLError:
            self.init(error, at: origin)
        case is NIOSSLExtraError:
            self.init(.certificate, place, "the certificate is another host's")
        case let error as IOError:
            let errno = Errno(rawValue: error.errnoCode)
            self.init(errno == .connectionRefused ? .refused : .broken, place, "\(errno)")
        case is HTTPParserError, is ChannelError:
            self.init(.broken, place, "the connection broke off")
        default:
            self.init(.broken, place, shown("\(error)"))
        }
    }

    private init(_ error: HTTPClientError, _ place: String) {
        switch error {
        case .cancelled: self.init(.cancelled, place, "cancelled")
        case .connectTimeout, .getConnectionFromPoolTimeout, .socksHandshakeTimeout, .httpProxyHandshakeTimeout,
             .tlsHandshakeTimeout: self.init(.timedOut, place, "no connection in time")
        case .readTimeout, .deadlineExceeded: self.init(.timedOut, place, "no answer in time")
        case .writeTimeout: self.init(.timedOut, place, "the server takes nothing any more")
        case .remoteConnectionClosed, .uncleanShutdown, .requestStreamCancelled:
            self.init(.broken, place, "the connection broke off")
        case .proxyAuthenticationRequired: self.init(.invalid, place, "the proxy wants a user and password")
        case .invalidProxyResponse: self.init(.invalid, place, "the proxy refuses")
        default: self.init(.invalid, place, shown(error.shortDescription))
        }
    }

    private init(_ error: NIOConnectionError, at origin: Origin) {
        let place = origin.description
        guard !error.connectionErrors.isEmpty else {
            self.init(.unresolved, place, "the name \(origin.host) cannot be resolved")
            return
        }
        for failure in error.connectionErrors {
            if let error = failure.error as? IOError, error.errnoCode == Errno.connectionRefused.rawValue {
                self.init(.refused, place, "\(Errno.connectionRefused)")
                return
            }
        }
        self.init(error.connectionErrors[0].error, at: origin)
        if case .connectTimeout? = error.connectionErrors[0].error as? ChannelError {
            self.init(.timedOut, place, "no connection in time")
        }
    }

    private init(_ error: NIOSSLError, at origin: Origin) {
        let place = origin.description
        switch error {
        case .uncleanShutdown, .readInInvalidTLSState, .writeDuringTLSShutdown, .shutdownFailed:
            self.init(.broken, place, "the connection broke off")
        case .unableToValidateCertificate, .noCertificateToValidate:
            self.init(.certificate, place, Self.certificateText(origin))
        case .handshakeFailed(let cause):
            let text = "\(cause)"
            if text.contains("CERTIFICATE_VERIFY_FAILED") {
                self.init(.certificate, place, Self.certificateText(origin))
            } else if text.contains("WRONG_VERSION_NUMBER") || text.contains("HTTP_REQUEST") {
                self.init(.noTLS, place, "the server does not speak TLS; for a registry without it give --tls-verify=false")
            } else if text.contains("EOF during handshake") || text.contains("syscallError") {
                self.init(.broken, place, "the connection broke off during the handshake")
            } else {
                self.init(.tls, place, "the handshake failed")
            }
        default:
            self.init(.tls, place, shown("\(error)"))
        }
    }

    private static func certificateText(_ origin: Origin) -> String {
        let port = origin.port == origin.scheme.port ? "" : ":\(origin.port)"
        let directory = "/etc/containers/certs.d/\(origin.host)\(port)"
        return "the certificate is not trusted: put its authority into \(directory)/ca.crt, or give --tls-verify=false"
    }
}
