import ContainerProtocol
import LinuxSystem

/// A line that a container's process wrote, or a part of a very long one.
public struct LogEntry: Sendable, Equatable {
    public enum Stream: String, Sendable {
        case output = "stdout"
        case errors = "stderr"
    }

    /// Nanoseconds since 1970.
    public var time: UInt64
    public var stream: Stream
    /// With its newline, where it has one.
    public var text: [UInt8]

    public init(time: UInt64, stream: Stream, text: [UInt8]) {
        self.time = time
        self.stream = stream
        self.text = text
    }

    /// nil for a line that is none of a log.
    init?(_ line: ArraySlice<UInt8>) {
        guard let object = FlatObject(line), case .string(let text) = object["log"],
              let stream = object.text("stream").flatMap({ Stream(rawValue: $0) }),
              let time = object.text("time").flatMap({ Timestamp.parse($0) }) else { return nil }
        self.init(time: time, stream: stream, text: text)
    }
}

/// Which lines of a log.
public struct LogOptions: Sendable {
    /// Nanoseconds since 1970.
    public var since: UInt64?
    public var until: UInt64?
    /// How many of the last lines; nil: all.
    public var tail: Int?
    /// Whether to go on with what comes, until the container ends.
    public var follows = false

    public init() {}
}

/// The lines of a container's log, as they come.
public struct ContainerLogs: AsyncSequence, Sendable {
    public typealias Element = LogEntry
    public typealias Failure = ContainerError

    fileprivate let reader: LineReader
    fileprivate let options: LogOptions

    public struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate let logs: ContainerLogs
        private var batch: ArraySlice<LogEntry> = []

        fileprivate init(_ logs: ContainerLogs) {
            self.logs = logs
        }

        public mutating func next() async throws(ContainerError) -> LogEntry? {
            try await next(isolation: nil)
        }

        public mutating func next(isolation actor: isolated (any Actor)?) async throws(ContainerError) -> LogEntry? {
            while batch.isEmpty {
                guard let entries = try await logs.nextBatch() else { return nil }
                batch = entries[...]
            }
            return batch.popFirst()
        }
    }

    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(self) }

    /// The next lines together; nil at the end.
    public func nextBatch() async throws(ContainerError) -> [LogEntry]? {
        let options = options
        return try await reader.nextBatch { line in
            guard let entry = LogEntry(line), entry.time >= options.since ?? 0, entry.time <= options.until ?? .max else { return nil }
            return entry
        }
    }
}

extension ContainerRuntime {
    /// What a container has written, and writes.
    public func logs(_ container: String, options: LogOptions = LogOptions()) async throws(ContainerError) -> ContainerLogs {
        try await BlockingWork.run { () throws(ContainerError) in
            let record = try store.database.find(container)
            guard record.configuration.log.isKept else {
                throw .wrongState("container \(record.name) keeps no log (--log-driver none)")
            }
            let connection = options.follows ? try connectIfRunning(record) : nil
            // Answered at the container's end.
            try connection?.send(.wait)
            let reader = try LineReader(directory: store.paths(record.identifier).directory, name: ContainerFiles.log, last: options.tail,
                                        follows: connection != nil, end: connection)
            return ContainerLogs(reader: reader, options: options)
        }
    }

    /// The guest's console since the last start, at most the last MiB.
    public func console(_ container: String) async throws(ContainerError) -> [UInt8] {
        try await BlockingWork.run { () throws(ContainerError) in
            let record = try store.database.find(container)
            let path = store.paths(record.identifier).console
            let limit: UInt64 = 1 << 20
            do throws(Errno) {
                let file = try FileDescriptor.open(path, .readOnly)
                let size = try file.status().size
                let start = size > limit ? size - limit : 0
                var bytes = [UInt8](repeating: 0, count: Int(size - start))
                let result = bytes.withUnsafeMutableBytes { buffer in Result { () throws(Errno) in try file.read(into: buffer, at: start) } }
                bytes.removeLast(bytes.count - (try result.get()))
                return bytes
            } catch {
                guard error == .noEntry else { throw .file(path, error) }
                throw .wrongState("container \(record.name) has not been started")
            }
        }
    }
}
