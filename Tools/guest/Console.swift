/// `flood`: `test.kib=` KiB of numbered lines of 64 bytes, which the host can count.
///
/// Then says how many milliseconds that took, until the console had taken the last byte.
func flood(_ options: Options) {
    let start = guest_milliseconds()
    let count = options.number("kib", default: 64) * 16
    for number in 0..<count {
        var line = "flood \(number) "
        while line.utf8.count < 63 { line += "." }
        line += "\n"
        line.withUTF8 { bytes in try? writeAll(1, UnsafeRawBufferPointer(bytes)) }
    }
    tcdrain(1)
    say("flooded \(guest_milliseconds() - start)")
}

/// Kernels with their console's driver in a module start the first process without a console.
func openLateConsole() {
    guard isatty(1) == 0 else { return }
    for path in ["/dev/hvc0", "/dev/ttyS0"] {
        guard let file = try? open(path, O_RDWR | O_NOCTTY) else { continue }
        for target in 0..<3 as Range<Int32> { dup2(file, target) }
        if file > 2 { close(file) }
        return
    }
}

/// `resize`: says the terminal's size, and once more when it has changed.
func waitForResize() throws(Failure) {
    // Only the terminal of a session tells its processes.
    guard setsid() > 0, guest_take_terminal(0) == 0 else { throw Failure("setsid or TIOCSCTTY", .current) }
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, guest_sigwinch())
    guard sigprocmask(SIG_BLOCK, &signals, nil) == 0 else { throw Failure("sigprocmask", .current) }
    var first = try saySize()
    say("ready")
    while true {
        var number: Int32 = 0
        guard sigwait(&signals, &number) == 0 else { throw Failure("sigwait", .current) }
        let size = try saySize()
        // The driver may learn the size late: that is no change yet.
        if first != (0, 0), size != first { return }
        first = size
    }
}

private func saySize() throws(Failure) -> (columns: UInt16, rows: UInt16) {
    var columns: UInt16 = 0
    var rows: UInt16 = 0
    guard guest_terminal_size(0, &columns, &rows) == 0 else { throw Failure("TIOCGWINSZ", .current) }
    say("size \(columns)x\(rows)")
    return (columns, rows)
}

/// `echo`: says every line that is typed, until one is `quit`.
func echo() throws(Failure) {
    var mode = termios()
    tcgetattr(0, &mode)
    mode.c_lflag &= ~tcflag_t(ECHO)
    tcsetattr(0, TCSANOW, &mode)
    say("ready")
    var pending: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1024)
    while true {
        while let end = pending.firstIndex(of: UInt8(ascii: "\n")) {
            let line = text(pending[..<end])
            pending.removeSubrange(...end)
            if line == "quit" { return }
            say("echo \(line)")
        }
        let count = read(0, &chunk, chunk.count)
        guard count > 0 else { throw Failure("read of the console", .current) }
        pending += chunk[..<count]
    }
}
