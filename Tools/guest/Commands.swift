/// Says `ready`, and then answers each line that is typed with one line, `#NUMBER …`, until one is `quit`.
///
/// - Parameter answer: gets the line's words.
func answerLines(_ answer: ([String]) -> String) throws(Failure) {
    var mode = termios()
    tcgetattr(0, &mode)
    mode.c_lflag &= ~tcflag_t(ECHO)
    tcsetattr(0, TCSANOW, &mode)
    say("ready")
    var pending: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1024)
    var number = 0
    while true {
        while let newline = pending.firstIndex(of: UInt8(ascii: "\n")) {
            let words = pending[..<newline].split(separator: UInt8(ascii: " ")).map { text($0) }
            pending.removeSubrange(...newline)
            if words.first == "quit" { return }
            number += 1
            say("#\(number) \(answer(words))")
        }
        let count = read(0, &chunk, chunk.count)
        if count == 0 { return }
        guard count > 0 else { throw Failure("read of the console", .current) }
        pending += chunk[..<count]
    }
}
