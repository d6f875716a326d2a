import Glibc
import LinuxSystem

/// Waits for a child of this process on a thread of its own, so that its end is an event.
final class ProcessState: @unchecked Sendable {
    // Sound: `end` is behind the condition's mutex.
    private let identifier: Int32
    private let condition = Condition()
    private var end: ProcessEnd?

    init(_ identifier: Int32) {
        self.identifier = identifier
        let thread = try? Thread(name: "waiter") { [self] in waitForEnd() }
        guard thread != nil else { fatalError("no thread: \(Errno.current)") }
    }

    var hasEnded: Bool { condition.withLock { end != nil } }

    /// Only while the number is certainly this child's.
    func signal(_ number: Int32) {
        condition.withLock { if end == nil { kill(identifier, number) } }
    }

    func wait() -> ProcessEnd? {
        let deadline = Clock.monotonicNanoseconds() + patience
        return condition.withLock {
            while end == nil, condition.wait(until: deadline) {}
            return end
        }
    }

    private func waitForEnd() {
        // Without reaping: the number stays the child's until the mutex is held.
        var information = siginfo_t()
        while waitid(P_PID, id_t(identifier), &information, WEXITED | WNOWAIT) == -1, Errno.current == .interrupted {}
        condition.withLock {
            var status: Int32 = 0
            waitpid(identifier, &status, 0)
            let signal = status & 0x7F
            end = signal == 0 ? .exited(status >> 8 & 0xFF) : .killed(signal)
            condition.broadcast()
        }
    }
}

/// The write end of a child's standard input.
final class InputPipe: @unchecked Sendable {
    // Sound: `raw` is behind the mutex; one thread sends and closes.
    private let condition = Condition()
    private var raw: Int32?

    init(_ descriptor: consuming FileDescriptor?) {
        raw = descriptor?.release()
    }

    deinit {
        close()
    }

    func send(_ bytes: [UInt8]) throws(Errno) {
        guard let raw = condition.withLock({ raw }) else { return }
        let result = bytes.withUnsafeBytes { bytes -> Errno? in
            do throws(Errno) {
                try writeAll(raw, bytes)
                return nil
            } catch {
                return error
            }
        }
        if let result { throw result }
    }

    func close() {
        condition.withLock {
            if let raw { Glibc.close(raw) }
            raw = nil
        }
    }
}
