/// What a client of the CONNECT socket says first: `CONNECT <port>\n`.
enum ConnectLine: Equatable {
    /// The port, and the length of the line with its newline.
    case port(UInt32, length: Int)
    /// No newline yet, and room for one.
    case incomplete
    case malformed

    /// The longest line, with its newline, in bytes.
    static let maximumLength = 32
    /// The highest port that a socket can have: the one above means any port (VMADDR_PORT_ANY).
    private static let maximumPort: UInt64 = 0xFFFF_FFFE
    private static let word = Array("CONNECT ".utf8)

    /// - Parameter bytes: the beginning of the stream.
    init(_ bytes: UnsafeRawBufferPointer) {
        guard let newline = bytes.prefix(Self.maximumLength).firstIndex(of: UInt8(ascii: "\n")) else {
            // What cannot become a line any more need not be waited for.
            let isPossible = bytes.count < Self.maximumLength && zip(bytes, Self.word).allSatisfy { $0 == $1 }
            self = isPossible ? .incomplete : .malformed
            return
        }
        let line = bytes[..<newline]
        guard line.count > Self.word.count, line.starts(with: Self.word),
              let port = Self.decimal(line.dropFirst(Self.word.count)) else {
            self = .malformed
            return
        }
        self = .port(port, length: newline + 1)
    }

    private static func decimal(_ digits: Slice<UnsafeRawBufferPointer>) -> UInt32? {
        var value: UInt64 = 0
        for digit in digits {
            guard digit >= UInt8(ascii: "0"), digit <= UInt8(ascii: "9") else { return nil }
            value = value * 10 + UInt64(digit - UInt8(ascii: "0"))
            guard value <= maximumPort else { return nil }
        }
        return value == 0 ? nil : UInt32(value)
    }
}
