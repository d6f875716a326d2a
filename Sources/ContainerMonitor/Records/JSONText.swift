/// JSON's strings, from bytes that may be no text.
enum JSONText {
    private static let quote = UInt8(ascii: "\"")
    private static let backslash = UInt8(ascii: "\\")

    /// Appends the text in quotation marks. What is not UTF-8 becomes U+FFFD.
    static func append(_ bytes: UnsafeRawBufferPointer, to json: inout [UInt8]) {
        json.append(quote)
        if bytes.allSatisfy({ $0 < 0x80 }) {
            escape(bytes, to: &json)
        } else {
            var text = String(decoding: bytes, as: UTF8.self)
            text.withUTF8 { escape(UnsafeRawBufferPointer($0), to: &json) }
        }
        json.append(quote)
    }

    static func append(_ text: String, to json: inout [UInt8]) {
        var text = text
        text.withUTF8 { bytes in
            json.append(quote)
            escape(UnsafeRawBufferPointer(bytes), to: &json)
            json.append(quote)
        }
    }

    private static func escape(_ bytes: UnsafeRawBufferPointer, to json: inout [UInt8]) {
        var start = 0
        for (index, byte) in bytes.enumerated() where byte < 0x20 || byte == quote || byte == backslash {
            json.append(contentsOf: bytes[start..<index])
            start = index + 1
            json.append(backslash)
            switch byte {
            case quote, backslash: json.append(byte)
            case 0x0A: json.append(UInt8(ascii: "n"))
            case 0x0D: json.append(UInt8(ascii: "r"))
            case 0x09: json.append(UInt8(ascii: "t"))
            default:
                // One by one: a small array for each would cost more than all the rest.
                json.append(UInt8(ascii: "u"))
                json.append(UInt8(ascii: "0"))
                json.append(UInt8(ascii: "0"))
                json.append(digit(byte >> 4))
                json.append(digit(byte & 15))
            }
        }
        json.append(contentsOf: bytes[start...])
    }

    private static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
    }
}
