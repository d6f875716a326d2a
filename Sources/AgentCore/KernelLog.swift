/// Lines of the kernel's log as syslog(2) gives them.
public enum KernelLog {
    /// Without the `<6>` before each line.
    public static func plain(_ text: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(text.count)
        var start = 0
        while start < text.count {
            let end = text[start...].firstIndex(of: 10) ?? text.count - 1
            var line = text[start...end]
            if line.first == UInt8(ascii: "<"), let close = line.prefix(5).firstIndex(of: UInt8(ascii: ">")) {
                line = line[(close + 1)...]
            }
            result += line
            start = end + 1
        }
        return result
    }
}
