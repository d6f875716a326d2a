import AsyncHTTPClient
import FoundationEssentials
import LinuxSystem
import NIOHTTP1

/// What a registry says when it does not do what it was asked. Source: OCI distribution-spec, "Error Codes".
struct ErrorAnswer: Decodable {
    struct Item: Decodable {
        var code: String?
        var message: String?
    }

    var errors: [Item]?
    /// As token servers and others have it.
    var details: String?
    var message: String?

    /// A registry's words, or else those of HTTP.
    static func reason(_ body: [UInt8], status: HTTPResponseStatus) -> String {
        let answer = try? JSONDecoder().decode(ErrorAnswer.self, from: Data(body))
        let item = answer?.errors?.first
        for text in [item?.message, answer?.details, answer?.message, item?.code] {
            if let text, !text.isEmpty { return shown(text) }
        }
        return status.reasonPhrase.isEmpty ? "status \(status.code)" : shown(status.reasonPhrase.lowercased())
    }
}

extension AttemptFailure {
    /// For a status that is not an answer to the request, with the answer's body.
    static func answer(_ response: HTTPClientResponse, _ body: [UInt8], what: String) -> AttemptFailure {
        let now = Int64(Clock.realTimeNanoseconds() / 1_000_000_000)
        let seconds = response.headers.first(name: "Retry-After").flatMap { RetryAfter.seconds($0, now: now) }
        let status = response.status
        let failed = RegistryError.failed(what: what, status: status.code, reason: ErrorAnswer.reason(body, status: status))
        switch status.code {
        case 429: return .busy(.rateLimited(what, seconds: seconds), retryAfter: seconds)
        case 408, 500, 502, 503, 504: return .busy(failed, retryAfter: seconds)
        default: return .final(failed)
        }
    }
}

extension RegistryError {
    /// As an attempt's failure when no further attempt is made.
    init(_ failure: AttemptFailure) {
        switch failure {
        case .final(let error), .busy(let error, _): self = error
        case .transport(let failure): self = failure.registryError
        }
    }
}
