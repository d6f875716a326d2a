import Devices
import LinuxSystem
import MachineProtocol
import Synchronization

/// What the user asks of the monitor by keys after Ctrl-A.
enum ConsoleCommand: Sendable {
    case quit, pressPowerButton
}

/// The host's side of the console. It outlives a restart of the machine, whose new serial port or console device is then
/// attached.
final class Console: Sendable {
    private let buffer = ConsoleBuffer()
    private let serial = SerialInput()
    private let terminal: TerminalSession?
    private let socket: ConsoleSocket?
    /// Locked, for as long as something may be written to it.
    private let file: FileDescriptor?
    private let isOnStandardIO: Bool

    /// Time that the end of the monitor waits for a slow reader of the last output: two seconds.
    private static let closingTime: UInt64 = 2_000_000_000

    /// Opens the console's file, socket or terminal and starts its threads.
    ///
    /// - Parameters:
    ///   - fileLimit: bytes that a file takes; the rest goes nowhere.
    ///   - command: called on a thread of the console's.
    init(
        _ description: ConsoleDescription, fileLimit: Int = .max, command: @escaping @Sendable (ConsoleCommand) -> Void
    ) throws(MachineError) {
        isOnStandardIO = description == .standardIO
        switch description {
        case .standardIO:
            terminal = TerminalSession.begin()
            file = nil
            socket = nil
            let keys = terminal == nil ? nil : EscapeKeys(command: command, output: buffer)
            try Self.run("console-out", Self.writer(buffer, to: 1))
            try Self.run("console-in", Self.reader(serial, from: 0, keys))
        case .file(let path):
            terminal = nil
            socket = nil
            let file = try Self.openOutput(path)
            let raw = file.raw
            self.file = consume file
            try Self.run("console-out", Self.writer(buffer, to: raw, limit: fileLimit))
        case .unixSocket(let path):
            terminal = nil
            file = nil
            let socket = try ConsoleSocket(path: path, buffer: buffer, input: serial)
            self.socket = socket
            try Self.run("console-out") { socket.runWriter() }
            try Self.run("console-in") { socket.runReader() }
        case .none:
            terminal = nil
            file = nil
            socket = nil
            let buffer = buffer
            try Self.run("console-out") { while buffer.take(limit: 4096) != nil {} }
        }
    }

    /// Takes a byte that the guest prints. From vCPU threads.
    func print(_ byte: UInt8) {
        buffer.append(byte)
    }

    /// Takes bytes that the guest prints. From any thread.
    func print(_ bytes: UnsafeRawBufferPointer) {
        buffer.append(bytes)
    }

    /// How much the terminal behind the console shows; nil when there is none.
    var terminalSize: TerminalSize? { isOnStandardIO ? TerminalSize(of: 0) : nil }

    /// The guest can take more input.
    func roomForInput() {
        serial.roomForInput()
    }

    /// Sends input to this machine's serial port or console device from now on.
    func attach(_ port: any ConsoleInputPort) {
        serial.attach(port)
    }

    /// The machine is gone; input waits for the next one.
    func detach() {
        serial.detach()
    }

    /// Writes what is left, restores the terminal, removes the socket. Returns the bytes lost to a slow reader.
    func close() -> Int {
        // A socket that nobody is connected to loses nothing that anybody waits for.
        let hasReader = socket?.hasClient ?? true
        buffer.close(waitingFor: hasReader ? Self.closingTime : 0)
        terminal?.end()
        socket?.close()
        // For a next machine, also where this process goes on for a while.
        try? file?.unlock(LockRange(first: 0, last: .max))
        return hasReader ? buffer.lostCount : 0
    }

    /// Opens the console's file, and empties it only once it is certain that no other machine uses it.
    private static func openOutput(_ path: String) throws(MachineError) -> FileDescriptor {
        do throws(Errno) {
            // A FIFO opened for reading as well needs no reader yet, and so is not waited for.
            let isFIFO = (try? fileStatus(at: path))?.kind == .fifo
            let file = try FileDescriptor.open(path, [isFIFO ? .readWrite : .writeOnly, .create, .noControllingTerminal])
            guard try file.status().kind == .regular else { return file }
            guard try file.tryLock(exclusive: true) else { throw .busy }
            try file.truncate(to: 0)
            return file
        } catch {
            let words = error == .busy ? "in use by another virtual machine, expected a file of its own" : "\(error)"
            throw MachineError("--console file=\(path): \(words)")
        }
    }

    private static func run(_ name: String, _ body: @escaping @Sendable () -> Void) throws(MachineError) {
        do throws(Errno) {
            _ = try Thread(name: name, body)
        } catch {
            throw MachineError("a thread could not be started: \(error)")
        }
    }

    /// What a pipe takes whole or not at all (PIPE_BUF), so that it is known how much of it was lost.
    private static let writeLimit = 4096

    private static func writer(_ buffer: ConsoleBuffer, to raw: Int32, limit: Int = .max) -> @Sendable () -> Void {
        {
            var room = limit
            while let taken = buffer.take(limit: writeLimit) {
                let bytes = taken.prefix(room)
                room -= bytes.count
                if bytes.isEmpty { continue }
                // A reader that has gone, or a full disk, is no reason to stop the guest.
                let lost = bytes.count - bytes.withUnsafeBytes { writeWhatFits(raw, $0) }
                if lost > 0 { buffer.reportLost(lost) }
            }
        }
    }

    private static func reader(_ serial: SerialInput, from raw: Int32, _ keys: EscapeKeys?) -> @Sendable () -> Void {
        {
            var chunk = [UInt8](repeating: 0, count: 1024)
            while let count = chunk.withUnsafeMutableBytes({ readWhenReady(raw, into: $0) }), count > 0 {
                let input = chunk[..<count]
                serial.send(keys?.filter(input) ?? Array(input))
            }
        }
    }
}
