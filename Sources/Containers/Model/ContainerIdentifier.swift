import LinuxSystem

/// What containers are known by: 64 random hexadecimal digits, of which the first 12 are what people read.
public enum ContainerIdentifier {
    public static let length = 64
    public static let shortLength = 12

    /// A new one.
    static func random() throws(ContainerError) -> String {
        let bytes: [UInt8]
        do throws(Errno) { bytes = try randomBytes(length / 2) } catch { throw .failed("no random bytes: \(error)") }
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    public static func short(_ identifier: String) -> String { String(identifier.prefix(shortLength)) }

    /// Whether the text may be an identifier or its beginning.
    static func isPrefix(_ text: String) -> Bool {
        (1...length).contains(text.utf8.count) && text.utf8.allSatisfy { (48...57).contains($0) || (97...102).contains($0) }
    }
}
