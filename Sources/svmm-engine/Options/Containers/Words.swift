import CommandSupport

/// Commands that are given as one argument.
enum Words {
    /// Whether the text is a JSON list.
    static func isList(_ text: String) -> Bool { text.hasPrefix("[") && text.hasSuffix("]") }

    /// The strings of a JSON list.
    static func list(_ text: String) throws(Expected) -> [String] {
        let failure = Expected("a JSON list of strings such as [\"sh\", \"-c\"], found '\(text)'")
        var words: [String] = []
        var rest = text.dropFirst().dropLast()
        func skipSpace() { rest = rest.drop { $0 == " " || $0 == "\t" || $0 == "\n" } }
        skipSpace()
        while !rest.isEmpty {
            guard rest.first == "\"" else { throw failure }
            rest = rest.dropFirst()
            var word = ""
            while let character = rest.first, character != "\"" {
                rest = rest.dropFirst()
                guard character == "\\" else {
                    word.append(character)
                    continue
                }
                let escapes: [Character: Character] = ["\"": "\"", "\\": "\\", "/": "/", "n": "\n", "t": "\t", "r": "\r"]
                guard let next = rest.first, let meant = escapes[next] else { throw failure }
                word.append(meant)
                rest = rest.dropFirst()
            }
            guard rest.first == "\"" else { throw failure }
            rest = rest.dropFirst()
            words.append(word)
            skipSpace()
            if rest.isEmpty { break }
            guard rest.first == "," else { throw failure }
            rest = rest.dropFirst()
            skipSpace()
            guard !rest.isEmpty else { throw failure }
        }
        return words
    }
}
