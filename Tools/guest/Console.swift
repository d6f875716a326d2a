/// `flood`: `test.kib=` KiB of numbered lines of 64 bytes, which the host can count.
func flood(_ options: Options) {
    let count = options.number("kib", default: 64) * 16
    for number in 0..<count {
        var line = "flood \(number) "
        while line.utf8.count < 63 { line += "." }
        line += "\n"
        line.withUTF8 { bytes in try? writeAll(1, UnsafeRawBufferPointer(bytes)) }
    }
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
