import LinuxSystem

/// The requests of one session that have been taken from the transport and not been answered yet.
///
/// Tflush and Tversion wait here, only for requests that came before them: those are being served, or will be before
/// anything that came later, so nobody waits in a circle.
final class InFlight: @unchecked Sendable {
    // Sound: all state is behind the condition's mutex.
    private struct Entry {
        let sequence: UInt64
        let tag: UInt16
    }

    private let condition = Condition()
    private var entries: [Entry] = []
    private var nextSequence: UInt64 = 0
    private var waiters = 0

    func begin(tag: UInt16) -> UInt64 {
        condition.withLock {
            defer { nextSequence += 1 }
            entries.append(Entry(sequence: nextSequence, tag: tag))
            return nextSequence
        }
    }

    func end(_ sequence: UInt64) {
        condition.withLock {
            guard let index = entries.firstIndex(where: { $0.sequence == sequence }) else { return }
            entries.remove(at: index)
            if waiters > 0 { condition.broadcast() }
        }
    }

    /// Returns when no request that came before `sequence` is under way; with a tag, none that has it.
    func waitForEarlier(than sequence: UInt64, tag: UInt16? = nil) {
        condition.withLock {
            waiters += 1
            while entries.contains(where: { $0.sequence < sequence && (tag == nil || $0.tag == tag) }) {
                condition.wait()
            }
            waiters -= 1
        }
    }

    var count: Int { condition.withLock { entries.count } }
}
