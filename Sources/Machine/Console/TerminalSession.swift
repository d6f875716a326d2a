import LinuxSystem

/// A terminal in raw mode, and the promise that it leaves it.
///
/// The mode is kept by a second, tiny process as well: when this one dies of whatever cause, SIGKILL included, its end of a
/// pipe closes and the other restores the terminal.
final class TerminalSession: Sendable {
    private static let input: Int32 = 0

    private let saved: TerminalMode
    /// The write end of the guardian's pipe, open until the process ends.
    private let guardian: Int32?

    /// Puts standard input into raw mode if it is a terminal and this process is in its foreground; nil otherwise.
    static func begin() -> TerminalSession? {
        guard isTerminal(input), isInForeground(of: input), let saved = try? TerminalMode(of: input) else { return nil }
        let session = TerminalSession(saved)
        saved.raw().apply(to: input)
        return session
    }

    private init(_ saved: TerminalMode) {
        self.saved = saved
        // Without a guardian only a violent end leaves the terminal raw.
        guardian = try? Self.startGuardian(saved)
    }

    /// Restores the mode. The guardian is told that it is not needed any more, or it would undo what comes after svmm.
    func end() {
        saved.apply(to: Self.input)
        var done: UInt8 = 1
        if let raw = guardian { withUnsafeBytes(of: &done) { try? writeAll(raw, $0) } }
    }

    private static func startGuardian(_ mode: TerminalMode) throws(Errno) -> Int32 {
        let pipe = try FileDescriptor.pipe()
        _ = try CurrentProcess.spawn(
            try CurrentProcess.executablePath(), arguments: ["svmm-vmm", TerminalGuardian.argument],
            descriptors: [input, 1, 2, pipe.read.raw])
        let write = try pipe.write.duplicate()
        // Some tens of bytes, which a fresh pipe takes whole.
        guard mode.bytes.withUnsafeBytes({ (try? write.writeAll($0)) != nil }) else { throw .ioError }
        return write.release()
    }
}

/// The other process: restores the terminal on descriptor 0 when the pipe on descriptor 3 closes before it is told not to.
public enum TerminalGuardian {
    /// How `svmm-vmm` is told to be one.
    public static let argument = "--restore-terminal"

    public static func run() {
        ignoreTerminalOutputStops()
        var bytes: [UInt8] = []
        var mode: TerminalMode?
        var byte: UInt8 = 0
        while let count = withUnsafeMutableBytes(of: &byte, { try? read(3, into: $0) }), count == 1 {
            if mode != nil { return }  // the byte after the mode: all is well
            bytes.append(byte)
            mode = TerminalMode(bytes: bytes)
        }
        mode?.apply(to: 0)
    }
}
