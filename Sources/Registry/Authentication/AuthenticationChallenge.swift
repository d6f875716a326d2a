/// How a server wants to be asked: one challenge of a WWW-Authenticate header. Source: RFC 9110, section 11.6.1.
struct AuthenticationChallenge: Equatable, Sendable {
    /// In lower case: `basic`, `bearer`.
    var scheme: String
    /// Names in lower case.
    var parameters: [String: String] = [:]

    /// All challenges of a response's headers, in their order. Of a malformed header what stands before the fault counts.
    static func parse(_ headers: some Sequence<String>) -> [AuthenticationChallenge] {
        headers.flatMap { header -> [AuthenticationChallenge] in
            var parser = ChallengeParser(header)
            return parser.parse()
        }
    }
}

private struct ChallengeParser {
    private let bytes: [UInt8]
    private var place = 0

    init(_ header: String) {
        bytes = Array(header.utf8)
    }

    mutating func parse() -> [AuthenticationChallenge] {
        var challenges: [AuthenticationChallenge] = []
        while true {
            skip { $0 == UInt8(ascii: ",") || Self.isSpace($0) }
            guard let word = token() else { return challenges }
            let afterWord = place
            skip(Self.isSpace)
            if take(UInt8(ascii: "=")) {
                // A parameter, of the challenge that was begun last.
                skip(Self.isSpace)
                guard !challenges.isEmpty, let value = value() else { return challenges }
                challenges[challenges.count - 1].parameters[word.lowercased()] = value
                skip(Self.isSpace)
                guard place == bytes.count || bytes[place] == UInt8(ascii: ",") else { return challenges }
            } else {
                challenges.append(AuthenticationChallenge(scheme: word.lowercased()))
                guard place == bytes.count || place > afterWord || bytes[place] == UInt8(ascii: ",") else { return challenges }
            }
        }
    }

    /// A token, or a string in quotes with backslashes before what is meant literally.
    private mutating func value() -> String? {
        guard take(UInt8(ascii: "\"")) else { return token() }
        var text: [UInt8] = []
        while place < bytes.count {
            let byte = bytes[place]
            place += 1
            if byte == UInt8(ascii: "\"") { return String(decoding: text, as: UTF8.self) }
            if byte == UInt8(ascii: "\\") {
                guard place < bytes.count else { return nil }
                text.append(bytes[place])
                place += 1
            } else {
                text.append(byte)
            }
        }
        return nil
    }

    private mutating func token() -> String? {
        let start = place
        skip { byte in
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                || "!#$%&'*+-.^_`|~/:".utf8.contains(byte)
        }
        return place > start ? String(decoding: bytes[start..<place], as: UTF8.self) : nil
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard place < bytes.count, bytes[place] == byte else { return false }
        place += 1
        return true
    }

    private mutating func skip(_ matches: (UInt8) -> Bool) {
        while place < bytes.count, matches(bytes[place]) { place += 1 }
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
}
