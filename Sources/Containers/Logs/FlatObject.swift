/// A line of JSON: an object of strings, and of objects of strings. Made for logs, of which there may be millions of lines.
struct FlatObject {
    enum Value: Equatable {
        case string([UInt8])
        case object([String: String])
        /// A number, a word.
        case other
    }

    private(set) var members: [(name: String, value: Value)] = []

    subscript(name: String) -> Value? { members.first { $0.name == name }?.value }

    func text(_ name: String) -> String? {
        guard case .string(let bytes) = self[name] else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// nil for what is none.
    init?(_ line: ArraySlice<UInt8>) {
        var scanner = Scanner(rest: line)
        guard let members = scanner.object(depth: 0), scanner.isAtEnd else { return nil }
        self.members = members
    }

    private struct Scanner {
        var rest: ArraySlice<UInt8>

        mutating func skipSpace() {
            while let byte = rest.first, byte == 0x20 || byte == 0x09 { rest.removeFirst() }
        }

        var isAtEnd: Bool { rest.allSatisfy { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D } }

        mutating func take(_ byte: UInt8) -> Bool {
            skipSpace()
            guard rest.first == byte else { return false }
            rest.removeFirst()
            return true
        }

        mutating func object(depth: Int) -> [(name: String, value: Value)]? {
            guard depth < 3, take(UInt8(ascii: "{")) else { return nil }
            var members: [(String, Value)] = []
            if take(UInt8(ascii: "}")) { return members }
            repeat {
                guard let name = string(), take(UInt8(ascii: ":")), let value = value(depth: depth) else { return nil }
                members.append((String(decoding: name, as: UTF8.self), value))
            } while take(UInt8(ascii: ","))
            return take(UInt8(ascii: "}")) ? members : nil
        }

        private mutating func value(depth: Int) -> Value? {
            skipSpace()
            switch rest.first {
            case UInt8(ascii: "\""): return string().map { .string($0) }
            case UInt8(ascii: "{"):
                guard let members = object(depth: depth + 1) else { return nil }
                var texts: [String: String] = [:]
                for case (let name, .string(let bytes)) in members { texts[name] = String(decoding: bytes, as: UTF8.self) }
                return .object(texts)
            default:
                let word = rest.prefix { !",}] \t".utf8.contains($0) }
                guard !word.isEmpty else { return nil }
                rest = rest.dropFirst(word.count)
                return .other
            }
        }

        mutating func string() -> [UInt8]? {
            guard take(UInt8(ascii: "\"")) else { return nil }
            var result: [UInt8] = []
            while true {
                // Up to the next quote or escape in one go.
                guard let end = rest.firstIndex(where: { $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: "\\") }) else { return nil }
                result += rest[..<end]
                let isQuote = rest[end] == UInt8(ascii: "\"")
                rest = rest[(end + 1)...]
                if isQuote { return result }
                guard let kind = rest.popFirst(), escape(kind, &result) else { return nil }
            }
        }

        private mutating func escape(_ kind: UInt8, _ result: inout [UInt8]) -> Bool {
            switch kind {
            case UInt8(ascii: "n"): result.append(0x0A)
            case UInt8(ascii: "r"): result.append(0x0D)
            case UInt8(ascii: "t"): result.append(0x09)
            case UInt8(ascii: "b"): result.append(0x08)
            case UInt8(ascii: "f"): result.append(0x0C)
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): result.append(kind)
            case UInt8(ascii: "u"):
                guard let first = unit() else { return false }
                var scalar = UInt32(first)
                if (0xD800..<0xDC00).contains(first), rest.starts(with: "\\u".utf8) {
                    rest = rest.dropFirst(2)
                    guard let second = unit(), (0xDC00..<0xE000).contains(second) else { return false }
                    scalar = 0x10000 + (UInt32(first) - 0xD800) << 10 + UInt32(second) - 0xDC00
                }
                result += Array(String(Character(Unicode.Scalar(scalar) ?? "\u{FFFD}")).utf8)
            default: return false
            }
            return true
        }

        private mutating func unit() -> UInt16? {
            let digits = rest.prefix(4)
            guard digits.count == 4, let value = UInt16(String(decoding: digits, as: UTF8.self), radix: 16) else { return nil }
            rest = rest.dropFirst(4)
            return value
        }
    }
}
