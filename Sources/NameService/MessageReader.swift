/// Bytes that are no message of RFC 1035.
struct MalformedMessage: Error {}

/// Reads a message's parts (RFC 1035, 4.1) from front to back. Every byte is somebody's who may mean harm.
struct MessageReader {
    let bytes: [UInt8]
    private(set) var place: Int

    init(_ bytes: [UInt8], at place: Int = 0) {
        (self.bytes, self.place) = (bytes, place)
    }

    mutating func number16() throws(MalformedMessage) -> UInt16 {
        guard bytes.count - place >= 2 else { throw MalformedMessage() }
        defer { place += 2 }
        return UInt16(bytes[place]) << 8 | UInt16(bytes[place + 1])
    }

    mutating func number32() throws(MalformedMessage) -> UInt32 {
        let high = try number16()
        return UInt32(high) << 16 | UInt32(try number16())
    }

    mutating func skip(_ count: Int) throws(MalformedMessage) {
        guard count <= bytes.count - place else { throw MalformedMessage() }
        place += count
    }

    /// A name, compressed or not (RFC 1035, 4.1.4). A pointer leads further to the front than the name, or the part of it, that it ends:
    /// so no loop is followed, and no message makes much work.
    mutating func name() throws(MalformedMessage) -> DomainName {
        var name: [UInt8] = []
        var labelCount = 0
        var at = place
        var end: Int?
        var limit = place
        while true {
            guard at < bytes.count else { throw MalformedMessage() }
            let length = Int(bytes[at])
            switch length {
            case 0:
                place = end ?? at + 1
                return DomainName(checked: name + [0], labelCount: labelCount)
            case 1...DomainName.longestLabel:
                guard length < bytes.count - at, name.count + length + 2 <= DomainName.longest else { throw MalformedMessage() }
                name.append(UInt8(length))
                for byte in bytes[(at + 1)...(at + length)] { name.append(DomainName.lowercased(byte)) }
                labelCount += 1
                at += 1 + length
            case 0xC0...:
                guard bytes.count - at >= 2 else { throw MalformedMessage() }
                let target = (length & 0x3F) << 8 | Int(bytes[at + 1])
                // No name is in the header.
                guard (MessageHeader.size..<limit).contains(target) else { throw MalformedMessage() }
                if end == nil { end = at + 2 }
                limit = target
                at = target
            default: throw MalformedMessage()
            }
        }
    }

    mutating func question() throws(MalformedMessage) -> Question {
        let name = try name()
        let type = RecordType(rawValue: try number16())
        return Question(name: name, type: type, recordClass: try number16())
    }
}
