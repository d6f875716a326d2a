/// Keys by which a terminal leaves its container: Ctrl-P Ctrl-Q, unless others are chosen.
public struct DetachKeys: Sendable {
    public static let standard: [UInt8] = [16, 17]

    private let sequence: [UInt8]
    /// What has been typed of them.
    private var held: [UInt8] = []

    public init(_ sequence: [UInt8]) {
        self.sequence = sequence
    }

    /// `ctrl-a` to `ctrl-z`, `ctrl-@`, `ctrl-[`, `ctrl-\`, `ctrl-]`, `ctrl-^`, `ctrl-_`, or a character, with commas between them; nothing
    /// for no keys. nil for what is none of it.
    public static func parse(_ text: String) -> [UInt8]? {
        if text.isEmpty { return [] }
        var keys: [UInt8] = []
        for word in text.split(separator: ",", omittingEmptySubsequences: false) {
            if word.hasPrefix("ctrl-"), let last = word.utf8.last, word.utf8.count == 6 {
                guard (64...95).contains(last) || (97...122).contains(last) else { return nil }
                keys.append(last & 31)
            } else if let byte = word.utf8.first, word.utf8.count == 1 {
                keys.append(byte)
            } else {
                return nil
            }
        }
        return keys
    }

    /// What of the typed bytes is for the container, and whether the sequence was completed: then the rest is nobody's. Keys that turn out
    /// to begin no sequence are passed on late.
    mutating func filter(_ bytes: ArraySlice<UInt8>) -> (passed: [UInt8], isDetached: Bool) {
        guard !sequence.isEmpty else { return (Array(bytes), false) }
        var passed: [UInt8] = []
        for byte in bytes {
            held.append(byte)
            // What does not begin the sequence any more is the container's, from its first byte on.
            while !sequence.starts(with: held) { passed.append(held.removeFirst()) }
            if held.count == sequence.count { return (passed, true) }
        }
        return (passed, false)
    }
}
