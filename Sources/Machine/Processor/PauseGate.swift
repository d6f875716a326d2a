import LinuxSystem

/// Where a vCPU's thread stands while its machine is paused.
final class PauseGate: @unchecked Sendable {
    // Sound: all below is behind the condition's mutex.
    private let condition = Condition()
    private var isShut = false
    /// The thread waits here.
    private var isHeld = false
    /// The thread will not come here again, and nobody waits for it.
    private var isOver = false

    /// Whether `pass` would wait.
    var isClosed: Bool { condition.withLock { isShut && !isOver } }

    /// For the vCPU's thread: waits while the gate is shut.
    func pass() {
        condition.withLock {
            guard isShut, !isOver else { return }
            isHeld = true
            condition.broadcast()
            while isShut, !isOver { condition.wait() }
            isHeld = false
        }
    }

    func shut() {
        condition.withLock { isShut = true }
    }

    func open() {
        condition.withLock {
            isShut = false
            condition.broadcast()
        }
    }

    /// Opens the gate for ever: the thread is to end, or has ended.
    func remove() {
        condition.withLock {
            isOver = true
            condition.broadcast()
        }
    }

    /// Waits until the thread stands at the gate, or never will again; false when the time has passed before.
    ///
    /// - Parameter deadline: of `Clock.monotonicNanoseconds`.
    func waitUntilHeld(until deadline: UInt64) -> Bool {
        condition.withLock {
            while !isHeld, !isOver {
                if !condition.wait(until: deadline) { return isHeld || isOver }
            }
            return true
        }
    }
}
