/// What /proc/PID/stat says of a process.
public struct ProcessText: Equatable, Sendable {
    /// In the PID namespace of whoever mounted /proc.
    public var parent: UInt32
    public var state: UInt8
    /// In hundredths of a second: CPU time, and when it started, counted from the boot.
    public var cpu: UInt64
    public var start: UInt64
    /// Pages.
    public var resident: UInt64
    /// The name that the kernel knows.
    public var name: [UInt8]

    /// nil for a text that is none. Names may contain anything, parentheses and spaces too.
    public init?(stat text: [UInt8]) {
        guard let open = text.firstIndex(of: UInt8(ascii: "(")), let close = text.lastIndex(of: UInt8(ascii: ")")), open < close else {
            return nil
        }
        let fields = text[(close + 1)...].split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\n") }
        // The first of them is the third in proc(5).
        guard fields.count >= 22, let state = fields[0].first, let parent = Digits.decimal(fields[1]), let user = Digits.decimal(fields[11]),
              let system = Digits.decimal(fields[12]), let start = Digits.decimal(fields[19])
        else { return nil }
        name = Array(text[(open + 1)..<close])
        self.state = state
        self.parent = UInt32(truncatingIfNeeded: parent)
        cpu = user &+ system
        self.start = start
        resident = Digits.decimal(fields[21]) ?? 0
    }

    /// The numbers behind "NAME:" in /proc/PID/status; empty when there is no such line.
    public static func numbers(_ name: StaticString, inStatus text: [UInt8]) -> [UInt64] {
        let start = Array(UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)) + [UInt8(ascii: ":")]
        for line in text.split(separator: UInt8(ascii: "\n")) where line.starts(with: start) {
            return line.dropFirst(start.count).split { $0 == UInt8(ascii: "\t") || $0 == UInt8(ascii: " ") }.compactMap { Digits.decimal($0) }
        }
        return []
    }

    /// The contents of /proc/PID/cmdline with spaces between the words, at most `limit` bytes.
    public static func command(_ words: [UInt8], limit: Int) -> [UInt8] {
        var text = Array(words.prefix(limit))
        while text.last == 0 { text.removeLast() }
        return text.map { $0 == 0 ? UInt8(ascii: " ") : $0 }
    }
}
