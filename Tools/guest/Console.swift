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

/// `resize`: says the terminal's size and `ready`, and each other size that it gets, until two were not 0x0.
func waitForResize() throws(Failure) {
    // Only the terminal of a session tells its processes.
    guard setsid() > 0, guest_take_terminal(0) == 0 else { throw Failure("setsid or TIOCSCTTY", .current) }
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, guest_sigwinch())
    guard sigprocmask(SIG_BLOCK, &signals, nil) == 0 else { throw Failure("sigprocmask", .current) }
    var size = try terminalSize()
    say("size \(size.columns)x\(size.rows)")
    say("ready")
    // The driver may learn the first size before this program asks or only later.
    var count = size.columns > 0 ? 1 : 0
    while count < 2 {
        var number: Int32 = 0
        guard sigwait(&signals, &number) == 0 else { throw Failure("sigwait", .current) }
        let next = try terminalSize()
        if next == size { continue }
        size = next
        say("size \(size.columns)x\(size.rows)")
        count += 1
    }
}

private func terminalSize() throws(Failure) -> (columns: UInt16, rows: UInt16) {
    var columns: UInt16 = 0
    var rows: UInt16 = 0
    guard guest_terminal_size(0, &columns, &rows) == 0 else { throw Failure("TIOCGWINSZ", .current) }
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
