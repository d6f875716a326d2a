import LinuxSystem

/// How often, and after how long, a request is tried again that may succeed then.
public struct RetryPolicy: Sendable {
    /// How often at most, the first time included, without anything having arrived in between.
    public var attempts: Int
    /// Before the second attempt; doubled for each further one.
    public var firstDelay: Duration
    /// No delay of ours is longer.
    public var longestDelay: Duration
    /// How long a registry may ask us to wait (Retry-After) and still be waited for.
    public var longestRetryAfter: Duration
    /// Waits.
    var sleep: @Sendable (Duration) async throws -> Void

    public init(
        attempts: Int = 5, firstDelay: Duration = .seconds(1), longestDelay: Duration = .seconds(30),
        longestRetryAfter: Duration = .seconds(120),
        sleep: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }
    ) {
        self.attempts = attempts
        self.firstDelay = firstDelay
        self.longestDelay = longestDelay
        self.longestRetryAfter = longestRetryAfter
        self.sleep = sleep
    }

    /// The delay after so many failures in a row, from 1: doubled each time, and up to a quarter more by chance, so that those
    /// whom one failure hit do not all come back at once.
    func delay(after failures: Int) -> Duration {
        let doubled = firstDelay * (1 << min(max(failures - 1, 0), 20))
        return min(doubled, longestDelay) * Double.random(in: 1...1.25)
    }
}

/// What a Retry-After header says. Source: RFC 9110, section 10.2.3.
enum RetryAfter {
    /// Seconds from now; nil for what is neither a number of seconds nor a date. A date in the past is 0.
    static func seconds(_ header: String, now: Int64) -> Int? {
        let text = header.trimmed
        if let number = Int(text) { return number >= 0 ? number : nil }
        guard let date = HTTPDate.seconds(text) else { return nil }
        let (difference, overflow) = date.subtractingReportingOverflow(now)
        return overflow ? nil : Int(max(difference, 0))
    }
}

/// The date format of HTTP headers, `Sun, 06 Nov 1994 08:49:37 GMT`. Source: RFC 9110, section 5.6.7.
enum HTTPDate {
    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

    /// Seconds since 1970; nil for another format.
    static func seconds(_ text: String) -> Int64? {
        let parts = text.split(separator: " ")
        guard parts.count == 6, parts[0].hasSuffix(","), parts[5] == "GMT", let day = Int(parts[1]),
              let month = months.firstIndex(of: String(parts[2])), let year = Int(parts[3])
        else { return nil }
        let clock = parts[4].split(separator: ":", omittingEmptySubsequences: false).map { Int($0) }
        guard clock.count == 3, let hour = clock[0], let minute = clock[1], let second = clock[2] else { return nil }
        let time = CalendarTime(year: year, month: month + 1, day: day, hour: hour, minute: minute, second: second)
        return time?.secondsSince1970.map { Int64($0) }
    }
}

extension String {
    /// Without spaces and tabs at both ends.
    var trimmed: String {
        let isSpace = { (character: Character) in character == " " || character == "\t" }
        guard let first = firstIndex(where: { !isSpace($0) }), let last = lastIndex(where: { !isSpace($0) }) else { return "" }
        return String(self[first...last])
    }
}
