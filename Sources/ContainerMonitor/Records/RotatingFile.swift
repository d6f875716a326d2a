import ContainerProtocol
import LinuxSystem

/// A file of lines that makes room for the next one when it has grown too long: NAME is the newest, then NAME.1, NAME.2…
///
/// What cannot be written is dropped, and said once: a full disk does not stop a container.
final class RotatingFile {
    private let directory: ContainerDirectory
    private let name: String
    private let limits: LogDescription
    private let note: (String) -> Void
    private var file: FileDescriptor?
    /// Of the open file.
    private var size: UInt64 = 0
    private var batch: [UInt8] = []
    private var lostCount: UInt64 = 0
    private var isLosing = false

    private static let batchSize = 64 << 10
    /// How far before the end of a file that was left in the middle of a line its beginning is looked for: more than the longest.
    private static let longestRecord = 256 << 10

    /// Goes on where an earlier monitor has stopped. Opens the file when there is something to write.
    ///
    /// - Parameter note: takes a line for people.
    init(_ directory: ContainerDirectory, _ name: String, _ limits: LogDescription, note: @escaping (String) -> Void) {
        self.directory = directory
        self.name = name
        self.limits = limits
        self.note = note
    }

    /// Takes a line, with its newline.
    func append(_ line: [UInt8]) {
        if limits.maximumSize > 0, let size = currentSize, size > 0, size + UInt64(line.count) > limits.maximumSize {
            flush()
            rotate()
        }
        batch += line
        if batch.count >= Self.batchSize { flush() }
    }

    /// Writes what was taken.
    func flush() {
        guard !batch.isEmpty else { return }
        defer { batch.removeAll(keepingCapacity: batch.capacity <= 2 * Self.batchSize) }
        do throws(Errno) {
            try open()
            try writeBatch()
            if isLosing { note("the log \(name) is written again; \(lostCount) bytes of it were lost") }
            isLosing = false
            lostCount = 0
        } catch {
            lostCount &+= UInt64(batch.count)
            if !isLosing { note("the log \(name) cannot be written, what it misses is lost: \(error)") }
            isLosing = true
        }
    }

    private var currentSize: UInt64? {
        do throws(Errno) { try open() } catch { return nil }
        return size + UInt64(batch.count)
    }

    private func writeBatch() throws(Errno) {
        guard let raw = file?.raw else { return }
        let count = batch.withUnsafeBytes { writeWhatFits(raw, $0) }
        guard count < batch.count else {
            size += UInt64(count)
            return
        }
        let error = Errno.current
        // Half a line would make the whole file invalid.
        try? file?.truncate(to: size)
        throw error
    }

    private func open() throws(Errno) {
        guard file == nil else { return }
        let descriptor = try directory.open(name, [.readWrite, .create, .append, .noControllingTerminal])
        size = try descriptor.status().size
        let start = size > UInt64(Self.longestRecord) ? size - UInt64(Self.longestRecord) : 0
        var tail = [UInt8](repeating: 0, count: Int(size - start))
        let result = tail.withUnsafeMutableBytes { bytes in
            Result { () throws(Errno) in try descriptor.read(into: bytes, at: start) }
        }
        tail = Array(tail.prefix(try result.get()))
        if let last = tail.last, last != UInt8(ascii: "\n") {
            size = start + UInt64(tail.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0)
            try descriptor.truncate(to: size)
        }
        file = consume descriptor
    }

    private func rotate() {
        file = nil
        let count = Int(max(limits.maximumFiles, 1))
        if count == 1 {
            try? directory.remove(name)
        } else {
            for index in stride(from: count - 1, through: 2, by: -1) {
                try? directory.rename("\(name).\(index - 1)", to: "\(name).\(index)")
            }
            try? directory.rename(name, to: "\(name).1")
        }
    }
}
