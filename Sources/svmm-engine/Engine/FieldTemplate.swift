import CommandSupport
import Registry

/// `--format`: text with fields in it, as podman and Docker write them: `{{.Name}}`, `{{.State.Status}}`, `{{json .Mounts}}`; `\t` and `\n`.
/// With `table ` before it, columns with a heading.
struct FieldTemplate {
    private enum Part {
        case text(String)
        /// The names on the way to the value, none for all; whether it is written as JSON.
        case field([String], isJSON: Bool)
    }

    let isTable: Bool
    private var parts: [Part] = []

    init(_ text: String) throws(Expected) {
        var rest = text[...]
        isTable = rest.hasPrefix("table ")
        if isTable { rest = rest.dropFirst("table ".count) }
        while let start = rest.firstRange(of: "{{") {
            add(rest[..<start.lowerBound])
            guard let end = rest[start.upperBound...].firstRange(of: "}}") else { throw Expected("}} after {{, found '\(text)'") }
            parts.append(try Self.field(rest[start.upperBound..<end.lowerBound]))
            rest = rest[end.upperBound...]
        }
        add(rest)
    }

    private mutating func add(_ text: Substring) {
        guard !text.isEmpty else { return }
        var plain = ""
        var isEscaped = false
        for character in text {
            if isEscaped {
                plain += character == "t" ? "\t" : character == "n" ? "\n" : character == "\\" ? "\\" : "\\\(character)"
                isEscaped = false
            } else if character == "\\" {
                isEscaped = true
            } else {
                plain.append(character)
            }
        }
        parts.append(.text(isEscaped ? plain + "\\" : plain))
    }

    private static func field(_ text: Substring) throws(Expected) -> Part {
        let words = text.split(separator: " ")
        let isJSON = words.first == "json"
        guard words.count == (isJSON ? 2 : 1), let path = words.last, path.hasPrefix(".") else {
            throw Expected("{{.Field}} or {{json .Field}}, found '{{\(text)}}'")
        }
        return .field(path.split(separator: ".").map(String.init), isJSON: isJSON)
    }

    /// The heading of a table: names of fields, in capitals.
    var heading: String {
        parts.map { part in
            switch part {
            case .text(let text): text
            case .field(let path, _): path.last.map { Self.title($0) } ?? ""
            }
        }.joined()
    }

    private static func title(_ name: String) -> String {
        var title = ""
        var wasLower = false
        for character in name {
            if character.isUppercase, wasLower { title += " " }
            wasLower = character.isLowercase
            title += character.uppercased()
        }
        return title
    }

    /// A line for an object. Throws where a field is none of its.
    func line(_ value: JSONValue) throws(Expected) -> String {
        var line = ""
        for part in parts {
            switch part {
            case .text(let text): line += text
            case .field(let path, let isJSON):
                let found = try Self.find(path, in: value)
                line += isJSON ? found.compactText : visible(found.plainText)
            }
        }
        return line
    }

    private static func find(_ path: [String], in value: JSONValue) throws(Expected) -> JSONValue {
        var found = value
        for name in path {
            guard let members = found.members else { throw Expected("a field, found .\(path.joined(separator: ".")), which leads into no object") }
            guard let next = members[name] else {
                throw Expected("one of the fields \(members.keys.sorted().joined(separator: ", ")), found .\(path.joined(separator: "."))")
            }
            found = next
        }
        return found
    }
}

extension JSONValue {
    /// In one line.
    var compactText: String {
        switch self {
        case .null: "null"
        case .bool(let value): "\(value)"
        case .integer(let value): "\(value)"
        case .number(let value): value.isFinite ? "\(value)" : "null"
        case .string(let text): JSONQuote.text(text)
        case .array(let values): "[" + values.map(\.compactText).joined(separator: ",") + "]"
        case .object(let members):
            "{" + members.sorted { $0.key < $1.key }.map { JSONQuote.text($0.key) + ":" + $0.value.compactText }.joined(separator: ",") + "}"
        }
    }

    /// As text in a line: strings without quotes, lists with commas.
    var plainText: String {
        switch self {
        case .string(let text): text
        case .null: ""
        case .array(let values): values.map(\.plainText).joined(separator: ",")
        default: compactText
        }
    }
}

enum JSONQuote {
    static func text(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case "\u{0}"..."\u{1F}", "\u{7F}"..."\u{9F}":
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}

/// `--format` of a command that lists things.
enum ListFormat: Sendable {
    case table
    case json
    case template(String)

    init(parsing text: String) throws(Expected) {
        switch text {
        case "table": self = .table
        case "json": self = .json
        default:
            guard text.contains("{{") else { throw Expected("table, json or a template such as '{{.ID}} {{.Names}}', found '\(text)'") }
            _ = try FieldTemplate(text)
            self = .template(text)
        }
    }

    /// The lines for such objects.
    ///
    /// - Parameters:
    ///   - columns: of the table, by names of fields; the heading is made of them.
    func lines(_ objects: [JSONValue], columns: [(heading: String, field: String)], hasHeading: Bool) throws(Expected) -> [String] {
        switch self {
        case .json: return [JSONValue.array(objects).prettyText]
        case .table:
            var table = TextTable(hasHeading ? columns.map(\.heading) : nil)
            for object in objects { table.add(columns.map { object[$0.field]?.plainText ?? "" }) }
            return table.lines
        case .template(let text):
            let template = try FieldTemplate(text)
            guard template.isTable else {
                var lines: [String] = []
                for object in objects { lines.append(try template.line(object)) }
                return lines
            }
            var table = TextTable(hasHeading ? template.heading.split(separator: "\t", omittingEmptySubsequences: false).map(String.init) : nil)
            for object in objects { table.add(ofTemplate: try template.line(object)) }
            return table.lines
        }
    }
}
