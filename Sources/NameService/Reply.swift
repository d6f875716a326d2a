import LinuxSystem

/// A record's data.
enum RecordData {
    case address(InternetAddress)
    case name(DomainName)
}

/// Answers of our own, as messages.
enum Reply {
    /// Seconds for which an answer may be remembered: containers come and go.
    static let timeToLive: UInt32 = 5
    /// What is sent in a datagram however much the client takes, and what we take: no network on the way cuts that to pieces (RFC 6891,
    /// 6.2.5).
    static let payloadSize = 1232

    /// An answer to a question, with as many of the records as fit; a client that gets them in a datagram is told where some are missing.
    static func make(to query: Query, _ code: ResponseCode = .noError, _ records: [RecordData] = [], isAuthoritative: Bool = false,
                     limit: Int = payloadSize) -> [UInt8] {
        var flags = query.flags.intersection([.recursionDesired, .checkingDisabled]).union([.response, .recursionAvailable])
        if isAuthoritative { flags.insert(.authoritative) }
        var bytes = Array(query.message[..<query.questionEnd])
        let extensions = query.extensions == nil ? [] : options(code, query)
        var count: UInt16 = 0
        for data in records {
            let record = record(data)
            guard bytes.count + record.count + extensions.count <= limit, count < .max else {
                flags.insert(.truncated)
                break
            }
            bytes += record
            count += 1
        }
        bytes += extensions
        set(&bytes, query.identifier, flags, code, questions: 1, answers: count, additionals: extensions.isEmpty ? 0 : 1)
        return bytes
    }

    /// To a client that has to ask again by TCP.
    static func truncated(_ query: Query) -> [UInt8] {
        var bytes = make(to: query)
        bytes[2] |= UInt8(MessageFlags.truncated.rawValue >> 8)
        return bytes
    }

    /// To a message that is no question that could be repeated: its header alone; nil where it has none, or is an answer itself.
    static func refusal(of message: [UInt8], _ code: ResponseCode) -> [UInt8]? {
        var reader = MessageReader(message)
        guard let header = try? MessageHeader(&reader), !header.flags.contains(.response) else { return nil }
        var bytes = [UInt8](repeating: 0, count: MessageHeader.size)
        let flags = header.flags.intersection([.operation, .recursionDesired]).union(.response)
        set(&bytes, header.identifier, flags, code, questions: 0, answers: 0, additionals: 0)
        return bytes
    }

    private static func set(_ bytes: inout [UInt8], _ identifier: UInt16, _ flags: MessageFlags, _ code: ResponseCode, questions: UInt16,
                            answers: UInt16, additionals: UInt16) {
        let numbers = [identifier, flags.rawValue | code.rawValue & 0xF, questions, answers, 0, additionals]
        bytes.replaceSubrange(..<MessageHeader.size, with: numbers.flatMap(\.networkBytes))
    }

    private static func record(_ data: RecordData) -> [UInt8] {
        let (type, content): (RecordType, [UInt8]) = switch data {
        case .address(let address): (address.family == .v4 ? .a : .aaaa, address.bytes)
        case .name(let name): (.ptr, name.bytes)
        }
        // The question's name is where the header ends (RFC 1035, 4.1.4).
        let name: [UInt8] = [0xC0, UInt8(MessageHeader.size)]
        return name + type.rawValue.networkBytes + Question.internetClass.networkBytes + timeToLive.networkBytes
            + UInt16(content.count).networkBytes + content
    }

    /// RFC 6891, 6.1.
    private static func options(_ code: ResponseCode, _ query: Query) -> [UInt8] {
        let signatures: UInt32 = query.extensions?.wantsSignatures == true ? 0x8000 : 0
        let upperCode = UInt32(code.rawValue >> 4) << 24
        return [0] + RecordType.opt.rawValue.networkBytes + UInt16(payloadSize).networkBytes + (upperCode | signatures).networkBytes + [0, 0]
    }
}

extension FixedWidthInteger {
    /// The most significant byte first.
    var networkBytes: [UInt8] {
        (1...(Self.bitWidth / 8)).map { UInt8(truncatingIfNeeded: self >> (Self.bitWidth - 8 * $0)) }
    }
}
