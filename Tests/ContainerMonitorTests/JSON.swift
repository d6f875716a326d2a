/// A JSON value, strictly read: for tests of what others have to read.
enum JSON: Equatable {
    case text(String)
    case object([String: JSON])
    case other(String)

    /// nil when the text is not one value of JSON.
    init?(_ text: some StringProtocol) {
        var parser = Parser(rest: Array(text.unicodeScalars)[...])
        guard let value = parser.value(), parser.rest.isEmpty else { return nil }
        self = value
    }

    var text: String? { if case .text(let text) = self { text } else { nil } }

    subscript(name: String) -> JSON? { if case .object(let members) = self { members[name] } else { nil } }

    private struct Parser {
        var rest: ArraySlice<Unicode.Scalar>

        mutating func take(_ scalar: Unicode.Scalar) -> Bool {
            guard rest.first == scalar else { return false }
            rest.removeFirst()
            return true
        }

        mutating func value() -> JSON? {
            switch rest.first {
            case "\"": return string().map { .text($0) }
            case "{": return object()
            default:
                let word = rest.prefix { !",}".unicodeScalars.contains($0) }
                rest = rest[word.endIndex...]
                return word.isEmpty ? nil : .other(String(String.UnicodeScalarView(word)))
            }
        }

        mutating func object() -> JSON? {
            guard take("{") else { return nil }
            var members: [String: JSON] = [:]
            if take("}") { return .object(members) }
            repeat {
                guard let name = string(), take(":"), let value = value(), members[name] == nil else { return nil }
                members[name] = value
            } while take(",")
            return take("}") ? .object(members) : nil
        }

        mutating func string() -> String? {
            guard take("\"") else { return nil }
            var text = String.UnicodeScalarView()
            while let scalar = rest.popFirst() {
                switch scalar {
                case "\"": return String(text)
                case "\\":
                    switch rest.popFirst() {
                    case "n": text.append("\n")
                    case "r": text.append("\r")
                    case "t": text.append("\t")
                    case "\"": text.append("\"")
                    case "\\": text.append("\\")
                    case "u":
                        let digits = String(String.UnicodeScalarView(rest.prefix(4)))
                        guard digits.unicodeScalars.count == 4, let code = UInt32(digits, radix: 16),
                              let scalar = Unicode.Scalar(code) else { return nil }
                        rest = rest.dropFirst(4)
                        text.append(scalar)
                    default: return nil
                    }
                case _ where scalar.value < 0x20: return nil
                default: text.append(scalar)
                }
            }
            return nil
        }
    }
}
