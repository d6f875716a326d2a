/// JSON's strings, from bytes that may be no text.
public enum JSONText {
    private static let quote = UInt8(ascii: "\"")
    private static let backslash = UInt8(ascii: "\\")

    /// Appends the text in quotation marks. What is not UTF-8 becomes U+FFFD.
    public static func append(_ bytes: UnsafeRawBufferPointer, to json: inout [UInt8]) {
        json.append(quote)
        if isASCII(bytes) {
            escape(bytes, to: &json)
        } else {
            var text = String(decoding: bytes, as: UTF8.self)
            text.withUTF8 { escape(UnsafeRawBufferPointer($0), to: &json) }
        }
        json.append(quote)
    }

    public static func append(_ text: String, to json: inout [UInt8]) {
        var text = text
        text.withUTF8 { bytes in
            json.append(quote)
            escape(UnsafeRawBufferPointer(bytes), to: &json)
            json.append(quote)
        }
    }

    private static func escape(_ bytes: UnsafeRawBufferPointer, to json: inout [UInt8]) {
        var (start, index) = (0, 0)
        while true {
            // Output is long and mostly plain: eight bytes at a time.
            while index + 8 <= bytes.count, isPlain(bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)) { index += 8 }
            guard index < bytes.count else { break }
            let byte = bytes[index]
            index += 1
            guard byte < 0x20 || byte == quote || byte == backslash else { continue }
            json.append(contentsOf: bytes[start..<(index - 1)])
            start = index
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

    private static let ones: UInt64 = 0x0101_0101_0101_0101
    private static let highBits: UInt64 = 0x8080_8080_8080_8080

    /// Whether none of eight bytes is to be escaped; false also where one is no ASCII.
    private static func isPlain(_ word: UInt64) -> Bool {
        // A byte borrows into its highest bit exactly where it is below what is subtracted, or one below it was: never a false yes.
        func hasLess(_ word: UInt64, than limit: UInt64) -> UInt64 { (word &- ones &* limit) & ~word & highBits }
        let found = hasLess(word, than: 0x20) | hasLess(word ^ ones &* UInt64(quote), than: 1)
            | hasLess(word ^ ones &* UInt64(backslash), than: 1) | word & highBits
        return found == 0
    }

    private static func isASCII(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var index = 0
        while index + 8 <= bytes.count {
            if bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self) & highBits != 0 { return false }
            index += 8
        }
        return bytes[index...].allSatisfy { $0 < 0x80 }
    }

    private static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
    }
}
