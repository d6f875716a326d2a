/// Text for people's eyes from those who are not to be trusted.
enum Text {
    /// One line without control characters, at most so many of them.
    static func line(_ text: String, limit: Int = 1000) -> String {
        var line = String.UnicodeScalarView()
        for scalar in text.unicodeScalars.prefix(limit) {
            line.append(scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value) ? " " : scalar)
        }
        return String(line)
    }
}
