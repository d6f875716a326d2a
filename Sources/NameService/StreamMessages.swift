import LinuxSystem

// Messages on a stream, each behind its length in two bytes (RFC 1035, 4.2.2).

/// Makes messages of the bytes that have come.
struct MessageAssembly {
    private var bytes: [UInt8] = []

    /// The next message's length, as soon as it is known.
    var nextLength: Int? { bytes.count >= 2 ? Int(bytes[0]) << 8 | Int(bytes[1]) : nil }

    mutating func append(_ part: some Collection<UInt8>) {
        bytes += part
    }

    /// nil: it is not there yet.
    mutating func next() -> [UInt8]? {
        guard let length = nextLength, bytes.count >= 2 + length else { return nil }
        let message = Array(bytes[2..<(2 + length)])
        bytes.removeFirst(2 + length)
        return message
    }
}

/// Messages that are to be sent.
struct OutputQueue {
    private var bytes: [UInt8] = []
    private var sent = 0

    var isEmpty: Bool { sent == bytes.count }

    /// At most 65,535 bytes; longer ones are left out.
    mutating func append(_ message: [UInt8]) {
        guard let length = UInt16(exactly: message.count) else { return }
        bytes.removeFirst(sent)
        sent = 0
        bytes += length.networkBytes + message
    }

    /// As much as the stream takes.
    mutating func send(to stream: borrowing UnixStream) throws(Errno) {
        while !isEmpty {
            let rest = bytes[sent...]
            let result = rest.withUnsafeBytes { buffer in Result { () throws(Errno) in try stream.send(buffer) } }
            guard let count = try result.get() else { return }
            sent += count
        }
        bytes = []
        sent = 0
    }
}
