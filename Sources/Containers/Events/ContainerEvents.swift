import LinuxSystem

/// Something that happened to a container.
public struct ContainerEvent: Sendable, Equatable {
    /// Nanoseconds since 1970.
    public var time: UInt64
    /// create, start, die, stop, kill, restart, pause, unpause, attach, exec_start, exec_die, health_status, oom, rename, remove.
    public var action: String
    public var identifier: String
    public var name: String
    public var image: String
    public var attributes: [String: String]
    /// As it stands in the event log: JSON.
    public var line: [UInt8]

    /// nil for a line that is none of an event log.
    init?(_ line: ArraySlice<UInt8>) {
        guard let object = FlatObject(line), let time = object.text("time").flatMap({ Timestamp.parse($0) }),
              let action = object.text("action"), let identifier = object.text("id") else { return nil }
        self.time = time
        self.action = action
        self.identifier = identifier
        name = object.text("name") ?? ""
        image = object.text("image") ?? ""
        attributes = if case .object(let texts) = object["attributes"] { texts } else { [:] }
        self.line = Array(line)
    }
}

/// Which events.
public struct EventOptions: Sendable {
    /// Nanoseconds since 1970; nil: only what comes.
    public var since: UInt64?
    /// nil: without end.
    public var until: UInt64?
    /// Whether to wait for what comes.
    public var follows = true

    public init() {}
}

/// Events as they come.
public struct ContainerEvents: AsyncSequence, Sendable {
    public typealias Element = ContainerEvent
    public typealias Failure = ContainerError

    fileprivate let reader: LineReader
    fileprivate let options: EventOptions

    public struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate let events: ContainerEvents
        private var batch: ArraySlice<ContainerEvent> = []

        fileprivate init(_ events: ContainerEvents) {
            self.events = events
        }

        public mutating func next() async throws(ContainerError) -> ContainerEvent? {
            try await next(isolation: nil)
        }

        public mutating func next(isolation actor: isolated (any Actor)?) async throws(ContainerError) -> ContainerEvent? {
            while batch.isEmpty {
                guard let found = try await events.nextBatch() else { return nil }
                batch = found[...]
            }
            return batch.popFirst()
        }
    }

    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(self) }

    private func nextBatch() async throws(ContainerError) -> [ContainerEvent]? {
        let options = options
        return try await reader.nextBatch { line in
            guard let event = ContainerEvent(line), event.time >= options.since ?? 0, event.time <= options.until ?? .max else { return nil }
            return event
        }
    }
}

extension ContainerRuntime {
    /// What has happened to the store's containers, and happens.
    public func events(_ options: EventOptions = EventOptions()) async throws(ContainerError) -> ContainerEvents {
        try await BlockingWork.run { () throws(ContainerError) in
            var deadline: UInt64?
            if let until = options.until {
                let now = Clock.realTimeNanoseconds()
                deadline = Clock.monotonicNanoseconds() &+ (until > now ? until - now : 0)
            }
            let reader = try LineReader(directory: store.root, name: "events.jsonl", last: options.since == nil && options.follows ? 0 : nil,
                                        follows: options.follows, deadline: deadline)
            return ContainerEvents(reader: reader, options: options)
        }
    }
}
