import ArgumentParser
import CommandSupport
import Containers
import LinuxSystem

struct ContainerLogsCommand: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "logs", abstract: "Show what a container's process has written.",
        discussion: "Times are RFC 3339 (2026-01-31T12:00:00Z), seconds since 1970, or durations before now (10m).")

    @Flag(name: .shortAndLong, help: "Go on with what comes, until the container ends.")
    var follow = false

    @Option(help: ArgumentHelp("Only what is not older.", valueName: "time"), transform: { try TimeOption.parse($0) })
    var since: UInt64?

    @Option(help: ArgumentHelp("Only what is not newer.", valueName: "time"), transform: { try TimeOption.parse($0) })
    var until: UInt64?

    @Option(name: [.customShort("n", allowingJoined: true), .long], help: ArgumentHelp("Only so many of the last lines.", valueName: "n|all"),
            transform: { text in
                if text == "all" || text == "-1" { return .max }
                return try number(text, in: 0...Int.max, unit: ", or all")
            })
    var tail: Int?

    @Flag(name: .shortAndLong, help: "Put the time before each line.")
    var timestamps = false

    @Flag(help: "Show the console of the guest's kernel instead.")
    var boot = false

    @OptionGroup var store: StoreOptions

    @Argument(help: ArgumentHelp("Container.", valueName: "container"))
    var container: String

    func validate() throws {
        guard !boot || !(follow || timestamps || since != nil || until != nil || tail != nil) else {
            throw ValidationError("--boot with other options: expected none of them")
        }
    }

    func prepare() throws { ignoreWriteSignals() }

    func run() async throws {
        var options = LogOptions()
        (options.since, options.until, options.tail, options.follows) = (since, until, tail == .max ? nil : tail, follow)
        let chosen = options
        try await Engine.run(store) { engine in
            if boot {
                let bytes = try await engine.runtime.console(container)
                StandardOutput.write(bytes)
                return 0
            }
            let logs = try await engine.runtime.logs(container, options: chosen)
            while let batch = try await logs.nextBatch() {
                guard try write(batch) else { break }
            }
            return 0
        }
    }

    /// Neighbouring lines of a stream together; false when nobody reads any more.
    private func write(_ entries: [LogEntry]) throws -> Bool {
        var bytes: [UInt8] = []
        var stream = LogEntry.Stream.output
        func flush() throws -> Bool {
            defer { bytes.removeAll(keepingCapacity: true) }
            if stream == .output { return StandardOutput.write(bytes) }
            // There is nowhere to say it.
            guard bytes.withUnsafeBytes({ writeWhatFits(2, $0) }) == bytes.count else { throw ExitCode(141) }
            return true
        }
        for entry in entries {
            if entry.stream != stream {
                guard try flush() else { return false }
                stream = entry.stream
            }
            if timestamps { bytes += Array("\(Timestamp.text(entry.time)) ".utf8) }
            bytes += entry.text
        }
        return try flush()
    }
}

/// `--since`, `--until`.
enum TimeOption {
    /// Nanoseconds since 1970.
    static func parse(_ text: String) throws(Expected) -> UInt64 {
        if let time = Timestamp.parse(text) { return time }
        if let seconds = UInt64(text), seconds < UInt64.max / 1_000_000_000 { return seconds * 1_000_000_000 }
        if let seconds = Double(text), seconds >= 0, seconds < 9e9 { return UInt64(seconds * 1e9) }
        guard let milliseconds = try? Sizes.milliseconds(text) else {
            throw Expected("a time such as 2026-01-31T12:00:00Z, seconds since 1970, or a duration before now such as 10m, found '\(text)'")
        }
        let now = Clock.realTimeNanoseconds()
        return now - min(milliseconds * 1_000_000, now)
    }
}
