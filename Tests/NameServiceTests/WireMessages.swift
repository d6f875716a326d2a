import TestSupport

/// Messages of RFC 1035 as bytes, made without the code that is tested.
enum WireMessage {
    static func name(_ text: String) -> [UInt8] {
        text.split(separator: ".").flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) } + [0]
    }

    /// A query that desires recursion.
    ///
    /// - Parameter payload: what an OPT record says of datagrams; nil: there is none.
    static func question(_ name: String, type: UInt16 = 1, identifier: UInt16 = 0x1234, payload: UInt16? = nil) -> [UInt8] {
        var bytes = number(identifier) + [0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, payload == nil ? 0 : 1]
        bytes += self.name(name) + number(type) + [0, 1]
        if let payload { bytes += [0, 0, 41] + number(payload) + [0, 0, 0, 0, 0, 0] }
        return bytes
    }

    /// An answer to a query with records of the question's own name.
    static func answer(to query: [UInt8], addresses: [[UInt8]] = [], code: UInt8 = 0, isTruncated: Bool = false, isAuthoritative: Bool = false)
        -> [UInt8] {
        var bytes = Array(query[..<questionEnd(query)])
        bytes[2] = 0x81 | (isTruncated ? 0x02 : 0) | (isAuthoritative ? 0x04 : 0)
        bytes[3] = 0x80 | code
        bytes.replaceSubrange(6..<12, with: number(UInt16(addresses.count)) + [0, 0, 0, 0])
        for address in addresses {
            bytes += [0xC0, 12, 0, address.count == 4 ? 1 : 28, 0, 1, 0, 0, 0, 60] + number(UInt16(address.count)) + address
        }
        return bytes
    }

    static func number(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 0xFF)] }

    /// Of a message with one question whose name is not compressed.
    static func questionEnd(_ message: [UInt8]) -> Int {
        (message[12...].firstIndex(of: 0) ?? 12) + 5
    }

    static func identifier(_ message: [UInt8]) -> UInt16 { UInt16(message[0]) << 8 | UInt16(message[1]) }

    /// The name that is asked for.
    static func asked(_ message: [UInt8]) -> String {
        var parts: [String] = []
        var place = 12
        while place < message.count, message[place] > 0 {
            parts.append(String(decoding: message[(place + 1)...].prefix(Int(message[place])), as: UTF8.self))
            place += 1 + Int(message[place])
        }
        return parts.joined(separator: ".")
    }
}

/// What an answer says, of one whose records have the question's name.
struct ReadAnswer: Equatable {
    var code: UInt8
    var isAuthoritative = false
    var isTruncated = false
    /// Each record's data.
    var records: [[UInt8]] = []

    init(_ message: [UInt8]) {
        code = message[3] & 0xF
        isAuthoritative = message[2] & 0x04 != 0
        isTruncated = message[2] & 0x02 != 0
        guard message.count > 12 else { return }
        var place = WireMessage.questionEnd(message)
        for _ in 0..<(Int(message[6]) << 8 | Int(message[7])) {
            let length = Int(message[place + 10]) << 8 | Int(message[place + 11])
            records.append(Array(message[(place + 12)..<(place + 12 + length)]))
            place += 12 + length
        }
    }

    init(code: UInt8 = 0, isAuthoritative: Bool = false, isTruncated: Bool = false, records: [[UInt8]] = []) {
        (self.code, self.isAuthoritative, self.isTruncated, self.records) = (code, isAuthoritative, isTruncated, records)
    }
}
