import Glibc
import LinuxSystem

/// QEMU's monitor (QMP) at a unix socket: enough of it to save a guest. Its answers are lines of JSON, of which only the words that
/// tell how it went are looked for.
final class QEMUMonitor {
    private let socket: UnixStream
    private let session: Session
    private let command: Command
    private let runner: Runner
    private let deadline: UInt64
    private var received = ""
    private var chunk = [UInt8](repeating: 0, count: 4096)

    /// The arguments that make QEMU listen there.
    static func arguments(_ path: String) -> [String] { ["-qmp", "unix:\(path),server=on,wait=off"] }

    /// Connects to a QEMU that has started to run its guest, and so listens.
    ///
    /// - Parameters:
    ///   - session: QEMU itself, whose output is read meanwhile.
    ///   - timeout: seconds for all that is asked of it.
    init(_ path: String, of command: Command, _ session: Session, _ runner: Runner, timeout: Int) throws {
        self.session = session
        self.command = command
        self.runner = runner
        deadline = Clock.now + UInt64(timeout) * 1_000_000_000
        do {
            socket = try UnixStream()
            guard try socket.connect(to: path) else { throw BenchmarkError("\(path): QEMU's monitor is busy") }
        } catch let error as Errno {
            throw BenchmarkError("\(path): QEMU's monitor: \(error)")
        }
        try ask(#"{"execute":"qmp_capabilities"}"#, until: #""return""#)
        try ask(#"{"execute":"migrate-set-capabilities","arguments":{"capabilities":[{"capability":"events","state":true}]}}"#,
                until: #""return""#)
    }

    /// Writes the running guest into a file, from which it goes on running (`-incoming "exec:cat FILE"`), and ends QEMU.
    ///
    /// - Parameter path: nothing in it that the shell would take for more than letters.
    func save(to path: String) throws {
        try ask(#"{"execute":"migrate","arguments":{"uri":"exec:cat > \#(path)"}}"#, until: #""status": "completed""#)
        try send(#"{"execute":"quit"}"#)
    }

    private func ask(_ request: String, until answer: String) throws {
        received = ""
        try send(request)
        while !Self.has(answer, in: received) {
            if Self.has(#""error""#, in: received) || Self.has(#""status": "failed""#, in: received) {
                throw BenchmarkError("\(command.line): its monitor was asked \(request) and said \(received)")
            }
            let news = try runner.waitForNews(of: command, on: [socket.raw, session.outputRaw], until: deadline)
            if news[1] { try session.drain() }
            if news[0] { try receive() }
        }
    }

    private func send(_ request: String) throws {
        let bytes = Array((request + "\n").utf8)
        let sent = try? bytes.withUnsafeBytes { try socket.send($0) }
        guard sent == bytes.count else { throw BenchmarkError("\(command.line): its monitor takes no requests") }
    }

    private func receive() throws {
        do {
            guard let count = try chunk.withUnsafeMutableBytes({ try socket.receive(into: $0) }) else { return }
            guard count > 0 else { throw BenchmarkError("\(command.line): its monitor is gone; it said \(received)") }
            received += String(decoding: chunk[..<count], as: UTF8.self)
        } catch let error as Errno {
            throw BenchmarkError("\(command.line): its monitor: \(error)")
        }
    }

    private static func has(_ words: String, in text: String) -> Bool {
        let (words, text) = (Array(words.utf8), Array(text.utf8))
        return text.indices.contains { text[$0...].starts(with: words) }
    }
}
