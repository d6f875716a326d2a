import CLinux
import Glibc
import LinuxSystem

/// A pseudo-terminal, seen from the side of the person who types.
public final class PseudoTerminal: Sendable {
    /// The terminal that programs run on.
    public let path: String
    /// What appears on the screen.
    public let output: StreamReader
    private let keyboard: FileDescriptor
    /// Kept open, so that the terminal keeps its mode while no program has it open.
    private let terminal: FileDescriptor

    // unlockpt(3) and ptsname(3), which <stdlib.h> hides from Swift.
    private static let setLock: UInt = 0x4004_5431  // TIOCSPTLCK
    private static let getNumber: UInt = 0x8004_5430  // TIOCGPTN
    private static let setSize: UInt = 0x5414  // TIOCSWINSZ

    /// A terminal whose mode is unlike a new one's, so that "restored" cannot be mistaken for "reset".
    public init() throws(Errno) {
        keyboard = try FileDescriptor.open("/dev/ptmx", [.readWrite, .noControllingTerminal])
        var locked: Int32 = 0
        var number: UInt32 = 0
        guard svmm_ioctl_pointer(keyboard.raw, Self.setLock, &locked) == 0,
              svmm_ioctl_pointer(keyboard.raw, Self.getNumber, &number) == 0 else { throw Errno.current }
        path = "/dev/pts/\(number)"
        terminal = try FileDescriptor.open(path, [.readWrite, .noControllingTerminal])
        var settings = termios()
        guard tcgetattr(terminal.raw, &settings) == 0 else { throw Errno.current }
        settings.c_lflag &= ~tcflag_t(ECHOE)
        settings.c_iflag |= tcflag_t(IXANY)
        guard tcsetattr(terminal.raw, TCSANOW, &settings) == 0 else { throw Errno.current }
        output = StreamReader(try keyboard.duplicate())
        try output.start()
    }

    /// The mode as it is now.
    public func mode() throws(Errno) -> [UInt8] {
        try TerminalMode(of: terminal.raw).bytes
    }

    /// Whether lines are edited, echoed, and Ctrl-C is a signal.
    public func isCooked() throws(Errno) -> Bool {
        var settings = termios()
        guard tcgetattr(terminal.raw, &settings) == 0 else { throw Errno.current }
        let flags = tcflag_t(ICANON | ECHO | ISIG)
        return settings.c_lflag & flags == flags
    }

    /// Makes it show this many characters; programs in its foreground get SIGWINCH.
    public func resize(columns: UInt16, rows: UInt16) throws(Errno) {
        var size = winsize(ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
        guard svmm_ioctl_pointer(keyboard.raw, Self.setSize, &size) == 0 else { throw Errno.current }
    }

    public func type(_ bytes: [UInt8]) throws {
        try bytes.withUnsafeBytes { try keyboard.writeAll($0) }
    }

    public func type(_ text: String) throws {
        try type(Array(text.utf8))
    }
}
