import ConformanceC
import Glibc

/// `lock-counter FILE COUNT [PROCESSES]`: any number of these at once, on one machine or on several that share the file, count exactly.
/// Returns the exit status.
func countUnderLock(_ arguments: [String]) -> Int32 {
    let numbers = arguments.dropFirst().compactMap { Int($0) }.filter { $0 > 0 }
    guard (2...3).contains(arguments.count), numbers.count == arguments.count - 1 else {
        fc_complain(Options.usage)
        return 2
    }
    if numbers.count == 2 {
        // All of them begin together: each has counted itself before any goes on.
        let meeting = arguments[0] + ".processes"
        let status = countUnderLock([meeting, "1"])
        guard status == 0 else { return status }
        while true {
            let file = fc_open(meeting, O_RDONLY, 0)
            var bytes = [UInt8](repeating: 0, count: 32)
            let size = pread(file, &bytes, bytes.count, 0)
            close(file)
            let digits = bytes[..<max(size, 0)].prefix { $0 != 10 }
            if let there = Int(String(decoding: digits, as: UTF8.self)), there >= numbers[1] { break }
            usleep(10_000)
        }
    }
    let count = numbers[0]
    func failed(_ call: String) -> Int32 {
        fc_complain("fs-conformance: lock-counter: \(arguments[0]): \(call): \(errorName(fc_errno()))")
        return 1
    }
    let file = fc_open(arguments[0], O_RDWR | O_CREAT, 0o666)
    guard file >= 0 else { return failed("open") }
    for _ in 0..<count {
        var lock = wholeFile(F_WRLCK)
        guard fc_fcntl_lock(file, F_SETLKW, &lock) == 0 else { return failed("lock") }
        var bytes = [UInt8](repeating: 0, count: 32)
        let size = pread(file, &bytes, bytes.count, 0)
        guard size >= 0 else { return failed("read") }
        let digits = String(decoding: bytes[..<size].prefix { $0 != 10 }, as: UTF8.self)
        guard let value = size == 0 ? 0 : Int(digits) else {
            fc_complain("fs-conformance: lock-counter: \(arguments[0]): expected a number, found '\(digits)'")
            return 1
        }
        var text = "\(value + 1)\n"
        let written = text.withUTF8 { pwrite(file, $0.baseAddress, $0.count, 0) }
        guard written > 0, fsync(file) == 0 else { return failed("write") }
        lock = wholeFile(F_UNLCK)
        guard fc_fcntl_lock(file, F_SETLK, &lock) == 0 else { return failed("unlock") }
    }
    close(file)
    return 0
}

func wholeFile(_ type: Int32) -> flock {
    range(type, 0, 0)
}

/// - Parameter count: 0 for all from `start` on.
func range(_ type: Int32, _ start: Int, _ count: Int) -> flock {
    flock(l_type: Int16(type), l_whence: Int16(SEEK_SET), l_start: off_t(start), l_len: off_t(count), l_pid: 0)
}
