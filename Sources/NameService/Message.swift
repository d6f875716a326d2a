/// The first 12 bytes of a message (RFC 1035, 4.1.1).
struct MessageHeader {
    static let size = 12

    var identifier: UInt16
    var flags: MessageFlags
    var questions: UInt16
    var answers: UInt16
    var authorities: UInt16
    var additionals: UInt16

    init(_ reader: inout MessageReader) throws(MalformedMessage) {
        identifier = try reader.number16()
        flags = MessageFlags(rawValue: try reader.number16())
        questions = try reader.number16()
        answers = try reader.number16()
        authorities = try reader.number16()
        additionals = try reader.number16()
    }
}

/// The header's second two bytes (RFC 1035, 4.1.1; RFC 4035, 3).
struct MessageFlags: OptionSet {
    let rawValue: UInt16

    static let response = MessageFlags(rawValue: 0x8000)
    static let authoritative = MessageFlags(rawValue: 0x0400)
    static let truncated = MessageFlags(rawValue: 0x0200)
    static let recursionDesired = MessageFlags(rawValue: 0x0100)
    static let recursionAvailable = MessageFlags(rawValue: 0x0080)
    static let checkingDisabled = MessageFlags(rawValue: 0x0010)
    /// The bits of the kind of query.
    static let operation = MessageFlags(rawValue: 0x7800)

    /// The lower four bits of the response's code.
    var code: UInt16 { rawValue & 0xF }
}

/// RFC 1035, 4.1.1, and RFC 6891, 9.
enum ResponseCode: UInt16 {
    case noError = 0
    case formatError = 1
    case serverFailure = 2
    case nameError = 3
    case notImplemented = 4
    case refused = 5
    case badVersion = 16
}

/// Kinds of records, and of questions about them (RFC 1035, 3.2.2 and 3.2.3; RFC 3596; RFC 4034; RFC 6891).
struct RecordType: RawRepresentable, Hashable, Sendable {
    let rawValue: UInt16

    static let a = RecordType(rawValue: 1)
    static let ns = RecordType(rawValue: 2)
    static let soa = RecordType(rawValue: 6)
    static let ptr = RecordType(rawValue: 12)
    static let aaaa = RecordType(rawValue: 28)
    static let opt = RecordType(rawValue: 41)
    static let ds = RecordType(rawValue: 43)
    static let dnskey = RecordType(rawValue: 48)
    static let ixfr = RecordType(rawValue: 251)
    static let axfr = RecordType(rawValue: 252)
    static let any = RecordType(rawValue: 255)
}

/// RFC 1035, 4.1.2.
struct Question: Hashable, Sendable {
    let name: DomainName
    let type: RecordType
    let recordClass: UInt16

    static let internetClass: UInt16 = 1
}
