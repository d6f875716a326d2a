import LinuxSystem

/// Lets signals end the process while there is no container yet that they could be passed to, although it has blocked them for later.
enum Interruption {
    private static let signals: [Signal] = [.hangUp, .interrupt, .quit, .terminate]

    /// Runs `body`, during which each of the signals ends the process after `discard`. What comes when `body` has ended stays pending, as
    /// do other signals: whoever passes them on finds them.
    ///
    /// - Parameter isWanted: false: only runs `body`.
    static func ending<Result>(
        _ isWanted: Bool, discarding discard: @escaping @Sendable () -> Void, _ body: () async throws -> Result
    ) async throws -> Result {
        guard isWanted else { return try await body() }
        let (end, hasEnded) = (try EventNotifier(), Gate())
        // Of its own, so that no other signal is taken.
        let queue = try SignalQueue(signals)
        _ = try Thread(name: "interruption") {
            while true {
                let ready = waitForInput(end.raw, or: queue.raw, within: -1)
                // First: whose turn it is from then on is the session's.
                if ready == 0 { return hasEnded.open() }
                guard ready == 1, let signal = queue.next() else { continue }
                discard()
                CurrentProcess.exitNow(128 + signal.rawValue)
            }
        }
        defer {
            end.signal()
            // No thread takes a signal behind the session's back.
            hasEnded.wait()
        }
        return try await body()
    }
}
