import CLinux
import Glibc

/// What this process takes of the host. Any thread may ask.
extension CurrentProcess {
    /// CPU time of all its threads so far, what vCPUs spend in the guest included, in nanoseconds. The corresponding C function is
    /// `clock_gettime` (CLOCK_PROCESS_CPUTIME_ID).
    public static func processorTime() -> UInt64 { nanoseconds(CLOCK_PROCESS_CPUTIME_ID) }

    /// Time since the process was made, which is before its last `execute`, in nanoseconds and as exact as a clock tick: a hundredth of a
    /// second. It goes on while the host sleeps. nil when the kernel does not say. Source: proc(5), /proc/[pid]/stat; the C functions
    /// are `clock_gettime` (CLOCK_BOOTTIME) and `sysconf` (_SC_CLK_TCK).
    public static func age() -> UInt64? {
        guard let text = contents(ofSmallFile: "/proc/self/stat", limit: 4096),
              let start = ProcessFigures.startTicks(text) else { return nil }
        let tick = 1_000_000_000 / UInt64(max(sysconf(Int32(_SC_CLK_TCK)), 1))
        let (born, overflow) = start.multipliedReportingOverflow(by: tick)
        let now = nanoseconds(CLOCK_BOOTTIME)
        return overflow ? nil : now - min(born, now)
    }

    /// Bytes in memory that are this process's alone: pages that it has written and shares with no other. What it has of a file and has
    /// not written is the page cache's, also where nobody else has it mapped; pages that have just come back from swap do not count.
    /// nil when the kernel does not say. Source: proc(5), Private_Dirty in /proc/[pid]/smaps_rollup.
    ///
    /// The kernel walks the page tables of everything that is resident: a fraction of a second where that is tens of gigabytes.
    public static func privateMemory() -> UInt64? {
        contents(ofSmallFile: "/proc/self/smaps_rollup", limit: 1 << 16).flatMap { ProcessFigures.privateBytes($0) }
    }

    private static func nanoseconds(_ clock: clockid_t) -> UInt64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return UInt64(clamping: time.tv_sec) &* 1_000_000_000 &+ UInt64(clamping: time.tv_nsec)
    }
}

/// The texts of /proc.
private enum ProcessFigures {
    /// The 22nd field of a stat file. The second is the program's name in parentheses, which may have spaces and parentheses itself.
    static func startTicks(_ text: [UInt8]) -> UInt64? {
        guard let end = text.lastIndex(of: UInt8(ascii: ")")) else { return nil }
        let fields = text[(end + 1)...].split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\n") }
        // The first behind the name is the third.
        return fields.count > 19 ? UInt64(String(decoding: fields[19], as: UTF8.self)) : nil
    }

    /// Of the line "Private_Dirty:   1234 kB"; nil when there is none.
    static func privateBytes(_ text: [UInt8]) -> UInt64? {
        for line in text.split(separator: UInt8(ascii: "\n")) where line.starts(with: "Private_Dirty:".utf8) {
            let words = line.split(separator: UInt8(ascii: " "))
            guard words.count > 1, let size = UInt64(String(decoding: words[1], as: UTF8.self)) else { return nil }
            return size.multipliedReportingOverflow(by: 1024).partialValue
        }
        return nil
    }
}
