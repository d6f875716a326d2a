/// A question that somebody asks.
public struct Query: Sendable {
    /// Longer ones are of nobody who asks for names.
    public static let longest = 4096

    /// The message, without what may follow it.
    let message: [UInt8]
    let identifier: UInt16
    let flags: MessageFlags
    let question: Question
    /// Where the question ends in the message.
    let questionEnd: Int
    /// What an OPT record says (RFC 6891, 6.1); nil without one.
    let extensions: Extensions?

    struct Extensions {
        /// What the client takes in a datagram, in bytes.
        let payloadSize: Int
        let version: UInt8
        /// The bit DO: the client wants records of DNSSEC.
        let wantsSignatures: Bool
    }

    /// Of a message that is one question and no answer. Other records than an OPT record may follow it, and stay in the message.
    init(_ bytes: [UInt8]) throws(MalformedMessage) {
        guard bytes.count <= Self.longest else { throw MalformedMessage() }
        var reader = MessageReader(bytes)
        let header = try MessageHeader(&reader)
        guard header.questions == 1, header.answers == 0, header.authorities == 0 else { throw MalformedMessage() }
        question = try reader.question()
        questionEnd = reader.place
        var extensions: Extensions?
        for _ in 0..<header.additionals {
            let name = try reader.name()
            let type = RecordType(rawValue: try reader.number16())
            let (payloadSize, options) = (try reader.number16(), try reader.number32())
            try reader.skip(Int(try reader.number16()))
            guard type == .opt else { continue }
            // RFC 6891, 6.1.1 and 6.1.2.
            guard extensions == nil, name.labelCount == 0 else { throw MalformedMessage() }
            extensions = Extensions(payloadSize: Int(payloadSize), version: UInt8(truncatingIfNeeded: options >> 16),
                                    wantsSignatures: options & 0x8000 != 0)
        }
        self.extensions = extensions
        (identifier, flags) = (header.identifier, header.flags)
        message = reader.place == bytes.count ? bytes : Array(bytes[..<reader.place])
    }

    /// How long an answer may be that is sent in a datagram (RFC 1035, 4.2.1; RFC 6891, 6.2.3).
    var datagramLimit: Int { max(extensions?.payloadSize ?? 0, 512) }

    /// The message under another number.
    func message(identifier: UInt16) -> [UInt8] {
        var message = message
        message.setIdentifier(identifier)
        return message
    }
}

extension [UInt8] {
    /// Of a message: its number. The bytes are there.
    mutating func setIdentifier(_ identifier: UInt16) {
        self[0] = UInt8(identifier >> 8)
        self[1] = UInt8(truncatingIfNeeded: identifier)
    }
}

/// A resolver's answer to a question.
struct ResolverAnswer {
    let message: [UInt8]
    let isTruncated: Bool
    /// Lower four bits.
    let code: UInt16

    /// - Returns: nil where the bytes are no answer to this question under this number, or end within it: somebody else's, or a forgery.
    init?(_ message: [UInt8], identifier: UInt16, question: Question) {
        var reader = MessageReader(message)
        guard let header = try? MessageHeader(&reader), header.identifier == identifier, header.flags.contains(.response),
              header.flags.isDisjoint(with: .operation), header.questions == 1, let found = try? reader.question(), found == question
        else { return nil }
        self.message = message
        isTruncated = header.flags.contains(.truncated)
        code = header.flags.code
    }

    /// Whether another resolver may know better: it failed, or does not serve this host.
    var isFailure: Bool {
        [.serverFailure, .notImplemented, .refused].contains(ResponseCode(rawValue: code))
    }

    /// For the client that asked.
    func message(identifier: UInt16) -> [UInt8] {
        var message = message
        message.setIdentifier(identifier)
        return message
    }
}
