/// A piece of ACPI Machine Language: one encoded term, or one encoded data object (ACPI 6.5, section 20.2).
///
/// Terms are built from the inside out, each knowing its own length, so a definition block reads like its source:
/// ```
/// .device("COM1", [.name("_UID", .integer(0))])
/// ```
struct AML: Equatable {
    let bytes: [UInt8]

    // MARK: Named objects (section 20.2.5)

    /// `Scope (name) { terms }`
    static func scope(_ name: NameSegment, _ terms: [AML]) -> AML {
        AML(bytes: [0x10] + withLength(name.bytes + join(terms)))
    }

    /// `Device (name) { terms }`
    static func device(_ name: NameSegment, _ terms: [AML]) -> AML {
        AML(bytes: [0x5B, 0x82] + withLength(name.bytes + join(terms)))
    }

    /// `Name (name, object)`
    static func name(_ name: NameSegment, _ object: AML) -> AML {
        AML(bytes: [0x08] + name.bytes + object.bytes)
    }

    /// `Method (name, 0, NotSerialized) { terms }`
    static func method(_ name: NameSegment, _ terms: [AML]) -> AML {
        AML(bytes: [0x14] + withLength(name.bytes + [0] + join(terms)))
    }

    // MARK: Statements (section 20.2.5.3)

    /// `Notify (\scope.device, value)`: tells the guest's driver for a device what has happened to it.
    static func notify(_ scope: NameSegment, _ device: NameSegment, _ value: UInt8) -> AML {
        let fromRoot = UInt8(ascii: "\\")
        let twoSegments: UInt8 = 0x2E  // DualNamePrefix
        return AML(bytes: [0x86, fromRoot, twoSegments] + scope.bytes + device.bytes + integer(UInt64(value)).bytes)
    }

    // MARK: Data objects (section 20.2.3)

    /// An integer in the shortest of its encodings.
    static func integer(_ value: UInt64) -> AML {
        var bytes: [UInt8] = []
        switch value {
        case 0, 1:
            bytes.append(UInt8(value))  // ZeroOp, OneOp
        case 2...0xFF:
            bytes.append(0x0A)
            bytes.append(UInt8(value))
        case 0x100...0xFFFF:
            bytes.append(0x0B)
            bytes.append(littleEndian: UInt16(value))
        case 0x1_0000...0xFFFF_FFFF:
            bytes.append(0x0C)
            bytes.append(littleEndian: UInt32(value))
        default:
            bytes.append(0x0E)
            bytes.append(littleEndian: value)
        }
        return AML(bytes: bytes)
    }

    /// `text` is ASCII without a zero.
    static func string(_ text: String) -> AML {
        AML(bytes: [0x0D] + text.utf8 + [0])
    }

    /// At most 255 elements.
    static func package(_ elements: [AML]) -> AML {
        AML(bytes: [0x12] + withLength([UInt8(elements.count)] + join(elements)))
    }

    static func buffer(_ contents: [UInt8]) -> AML {
        AML(bytes: [0x11] + withLength(integer(UInt64(contents.count)).bytes + contents))
    }

    /// `EISAID ("PNP0501")`: three letters of five bits each and four hexadecimal digits, in big-endian order (ACPI
    /// 6.5, section 19.3.4).
    static func eisaID(_ id: StaticString) -> AML {
        let characters = id.withUTF8Buffer { [UInt8]($0) }
        precondition(characters.count == 7, "an EISA ID has three letters and four digits")
        let letters = characters[0..<3].reduce(0 as UInt32) { $0 << 5 | UInt32($1 - 0x40) }
        let digits = characters[3...].reduce(0 as UInt32) { number, character in
            number << 4 | UInt32(character <= 0x39 ? character - 0x30 : character - 0x41 + 10)
        }
        return integer(UInt64((letters << 16 | digits).byteSwapped))
    }

    // MARK: Lengths

    /// The content behind its PkgLength, which counts its own bytes too (section 20.2.4): one byte up to 63; beyond
    /// that, the lead byte holds the number of bytes that follow in bits 7-6 and the low four bits of the length in
    /// bits 3-0.
    static func withLength(_ content: [UInt8]) -> [UInt8] {
        let limits = [1 << 6, 1 << 12, 1 << 20, 1 << 28]
        guard let following = limits.indices.first(where: { content.count + $0 + 1 < limits[$0] }) else {
            preconditionFailure("a package of \(content.count) bytes")
        }
        let length = content.count + following + 1
        if following == 0 {
            return [UInt8(length)] + content
        }
        var bytes = [UInt8(following << 6 | length & 0xF)]
        for index in 0..<following {
            bytes.append(UInt8(truncatingIfNeeded: length >> (4 + 8 * index)))
        }
        return bytes + content
    }

    private static func join(_ terms: [AML]) -> [UInt8] {
        var bytes: [UInt8] = []
        for term in terms {
            bytes.append(contentsOf: term.bytes)
        }
        return bytes
    }
}

/// NameSeg: four characters, of which shorter names have underscores at the end (ACPI 6.5, section 20.2.2).
struct NameSegment: ExpressibleByStringLiteral {
    let bytes: [UInt8]

    init(stringLiteral name: StaticString) {
        self.init(name.withUTF8Buffer { [UInt8]($0) })
    }

    /// One name of a family: `letter` and three hexadecimal digits. `index` is below 4096.
    init(letter: Unicode.Scalar, index: Int) {
        let digits = String(index, radix: 16, uppercase: true)
        let zeros = String(repeating: "0", count: 3 - digits.utf8.count)
        self.init([UInt8(ascii: letter)] + Array((zeros + digits).utf8))
    }

    /// The method of an edge-triggered general-purpose event: _E and its number as two hexadecimal digits (ACPI 6.5,
    /// section 5.6.4.1).
    init(event: UInt8) {
        let digits = String(event, radix: 16, uppercase: true)
        self.init(Array(("_E" + (event < 0x10 ? "0" : "") + digits).utf8))
    }

    private init(_ name: [UInt8]) {
        precondition((1...4).contains(name.count), "a name has one to four characters")
        bytes = name + repeatElement(UInt8(ascii: "_"), count: 4 - name.count)
    }
}
