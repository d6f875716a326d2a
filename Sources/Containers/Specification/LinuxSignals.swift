/// Signals of Linux on x86-64 by name (signal(7)).
public enum LinuxSignals {
    private static let names = [
        "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM", "TERM", "STKFLT",
        "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
    ]
    private static let aliases: [String: UInt8] = ["IOT": 6, "CLD": 17, "POLL": 29]
    /// Of real-time signals, as glibc numbers them.
    private static let realTime: ClosedRange<UInt8> = 34...64

    /// A number of 1...64, or a name with or without SIG, in any case: also RTMIN, RTMIN+n, RTMAX-n.
    public static func number(_ text: String) -> UInt8? {
        if let number = UInt8(text), text.utf8.first != UInt8(ascii: "+") { return (1...64).contains(number) ? number : nil }
        var name = text.uppercased()
        if name.hasPrefix("SIG") { name.removeFirst(3) }
        if let index = names.firstIndex(of: name) { return UInt8(index + 1) }
        if let number = aliases[name] { return number }
        if name.hasPrefix("RTMIN") { return realTime(name.dropFirst(5), from: realTime.lowerBound, sign: "+") }
        if name.hasPrefix("RTMAX") { return realTime(name.dropFirst(5), from: realTime.upperBound, sign: "-") }
        return nil
    }

    private static func realTime(_ rest: Substring, from base: UInt8, sign: Character) -> UInt8? {
        if rest.isEmpty { return base }
        guard rest.first == sign, let offset = UInt8(rest.dropFirst()), offset <= 30 else { return nil }
        return sign == "+" ? base + offset : base - offset
    }

    /// For example SIGTERM; the number where there is no name.
    public static func name(_ number: UInt8) -> String {
        guard number > 0, number <= names.count else { return String(number) }
        return "SIG" + names[Int(number) - 1]
    }
}
