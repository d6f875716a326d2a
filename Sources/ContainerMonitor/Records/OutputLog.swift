import ContainerProtocol
import ContainerRecords
import LinuxSystem

/// The main process's output as JSON lines: `{"log":"text\n","stream":"stdout","time":"…"}`. An object for each line of output; lines
/// longer than 16 KiB come in several, of which only the last ends in a newline.
final class OutputLog {
    private let file: RotatingFile
    private let time: () -> UInt64
    /// Beginnings of lines whose ends have not come yet.
    private var unfinished: (output: [UInt8], errors: [UInt8]) = ([], [])

    static let maximumLine = 16 << 10

    /// - Parameter time: nanoseconds since 1970.
    init(_ file: RotatingFile, time: @escaping () -> UInt64) {
        self.file = file
        self.time = time
    }

    private func write(_ kind: OutputKind, _ pieces: (_ write: (UnsafeRawBufferPointer) -> Void) -> Void) {
        let end = Array(#","stream":"\#(kind == .output ? "stdout" : "stderr")","time":"\#(TimeText.rfc3339(nanoseconds: time()))"}"#.utf8)
        var record: [UInt8] = []
        pieces { bytes in
            record.removeAll(keepingCapacity: true)
            record += Array(#"{"log":"#.utf8)
            JSONText.append(bytes, to: &record)
            record += end
            record.append(UInt8(ascii: "\n"))
            file.append(record)
        }
        file.flush()
    }

    /// What there is of lines without an end becomes a line now.
    func finish() {
        for kind in [OutputKind.output, .errors] {
            let rest = kind == .output ? unfinished.output : unfinished.errors
            guard !rest.isEmpty else { continue }
            write(kind) { write in rest.withUnsafeBytes(write) }
        }
        unfinished = ([], [])
    }

    private func take(_ bytes: UnsafeRawBufferPointer, _ rest: inout [UInt8], _ write: (UnsafeRawBufferPointer) -> Void) {
        var bytes = bytes[...]
        while !bytes.isEmpty {
            let room = Self.maximumLine - rest.count
            let newline = bytes.prefix(room).firstIndex(of: UInt8(ascii: "\n"))
            guard newline != nil || bytes.count >= room else {
                rest += bytes
                return
            }
            var piece = bytes[..<(newline.map { $0 + 1 } ?? bytes.startIndex + room)]
            bytes = bytes[piece.endIndex...]
            if rest.isEmpty, newline != nil {
                write(UnsafeRawBufferPointer(rebasing: piece))
                continue
            }
            rest += piece
            piece = piece[piece.endIndex...]
            // A character is not cut in two: its beginning waits for its end.
            let kept = newline == nil ? Self.incompleteCharacter(rest) : 0
            let tail = Array(rest.suffix(kept))
            rest.removeLast(kept)
            rest.withUnsafeBytes(write)
            rest.removeAll(keepingCapacity: true)
            rest += tail
        }
    }

    /// How many bytes at the end begin a character of UTF-8 that is longer than they are.
    private static func incompleteCharacter(_ bytes: [UInt8]) -> Int {
        for count in 1...3 where count <= bytes.count {
            let byte = bytes[bytes.count - count]
            if byte & 0xC0 == 0x80 { continue }
            let length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1
            return length > count ? count : 0
        }
        return 0
    }
}

extension OutputLog: OutputSink {
    func take(_ bytes: UnsafeRawBufferPointer, _ kind: OutputKind) {
        write(kind) { write in
            switch kind {
            case .output: take(bytes, &unfinished.output, write)
            case .errors: take(bytes, &unfinished.errors, write)
            }
        }
    }

    /// A file takes everything, or loses it.
    var isFull: Bool { false }
}
