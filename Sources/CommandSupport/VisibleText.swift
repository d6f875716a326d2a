/// Text of an image, a container or a registry for a terminal, which would obey controls in it: C0, DEL and C1, line feeds among them, are
/// shown as `\x1b`.
package func visible(_ text: String) -> String {
    // A byte of 0xC2 begins a C1 control, or something harmless.
    guard text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F || $0 == 0xC2 }) else { return text }
    var result = ""
    for scalar in text.unicodeScalars {
        if scalar.properties.generalCategory == .control {
            result += (scalar.value < 0x10 ? "\\x0" : "\\x") + String(scalar.value, radix: 16)
        } else {
            result.unicodeScalars.append(scalar)
        }
    }
    return result
}

/// An error in one line, whatever its text is made of.
package func oneLine(_ text: String) -> String {
    visible(text.split(whereSeparator: \.isNewline).joined(separator: "; "))
}
