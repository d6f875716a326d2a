import CLinux
import Glibc

/// The mode of a terminal, saved to be set again.
public struct TerminalMode: @unchecked Sendable {
    // Sound: struct termios is plain data.
    private var settings = termios()

    /// Reads the terminal's mode. The corresponding C function is `tcgetattr`.
    public init(of raw: Int32) throws(Errno) {
        var settings = termios()
        _ = try once { tcgetattr(raw, &settings) }
        self.settings = settings
    }

    /// Sets the mode after pending output is written. The corresponding C function is `tcsetattr`.
    public func apply(to raw: Int32) {
        var settings = settings
        // Fails when the terminal is gone, and then there is nothing to restore.
        _ = tcsetattr(raw, TCSADRAIN, &settings)
    }

    /// This mode without line editing, echo and signals from keys. Output is translated as before, so that other programs'
    /// lines keep their beginnings. The C function is `cfmakeraw`.
    public func raw() -> TerminalMode {
        var copy = self
        cfmakeraw(&copy.settings)
        copy.settings.c_oflag = settings.c_oflag
        return copy
    }

    /// The mode as bytes, to hand it to another process of this program.
    public var bytes: [UInt8] {
        withUnsafeBytes(of: settings) { Array($0) }
    }

    /// From `bytes`; nil when the length is not that of a terminal's mode.
    public init?(bytes: [UInt8]) {
        guard bytes.count == MemoryLayout<termios>.size else { return nil }
        withUnsafeMutableBytes(of: &settings) { $0.copyBytes(from: bytes) }
    }
}

/// How much a terminal shows, in characters.
public struct TerminalSize: Equatable, Sendable {
    public let columns: UInt16
    public let rows: UInt16

    public init(columns: UInt16, rows: UInt16) {
        self.columns = columns
        self.rows = rows
    }

    /// The size of the terminal; nil when the descriptor is none. The corresponding C function is `ioctl` (TIOCGWINSZ).
    public init?(of raw: Int32) {
        var size = winsize()
        guard svmm_ioctl_pointer(raw, svmm_tiocgwinsz, &size) == 0 else { return nil }
        self.init(columns: size.ws_col, rows: size.ws_row)
    }
}

/// Whether the descriptor is a terminal. The corresponding C function is `isatty`.
public func isTerminal(_ raw: Int32) -> Bool {
    isatty(raw) == 1
}

/// Whether this process is in the foreground of the terminal, and so may change its mode. The C function is `tcgetpgrp`.
public func isInForeground(of raw: Int32) -> Bool {
    tcgetpgrp(raw) == getpgrp()
}

extension TerminalMode {
    /// As `raw`, and output goes to the terminal as it is: for a terminal behind this one, which translates it already. The C function is
    /// `cfmakeraw`.
    public func transparent() -> TerminalMode {
        var copy = self
        cfmakeraw(&copy.settings)
        return copy
    }
}
