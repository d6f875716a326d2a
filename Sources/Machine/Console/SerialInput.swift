import Devices
import LinuxSystem

/// Input on its way to the serial port, or to a virtio console.
///
/// The sender waits while the guest does not read: what it has not sent stays where it
/// came from, in the pipe or the terminal.
final class SerialInput: @unchecked Sendable {
    // Sound: both are behind the condition's mutex.
    private let condition = Condition()
    private var port: (any ConsoleInputPort)?
    private var hasRoom = true

    func attach(_ port: any ConsoleInputPort) {
        condition.withLock {
            self.port = port
            hasRoom = true
            condition.broadcast()
        }
    }

    /// Input waits until there is a port again: the machine is gone, and nothing of it is to be kept.
    func detach() {
        condition.withLock { port = nil }
    }

    /// From vCPU threads.
    func roomForInput() {
        condition.withLock {
            hasRoom = true
            condition.broadcast()
        }
    }

    /// How often a sender that waits looks whether it is still wanted: a fifth of a second.
    private static let lookPeriod: UInt64 = 200_000_000

    /// Sends all bytes; waits as long as it takes, or until `isAbandoned` says that the rest is not worth it. From the
    /// console's input thread.
    func send(_ bytes: [UInt8], isAbandoned: () -> Bool = { false }) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let receiver = condition.withLock { () -> (any ConsoleInputPort)? in
                while !hasRoom || port == nil {
                    if !condition.wait(until: Clock.monotonicNanoseconds() + Self.lookPeriod), isAbandoned() { return nil }
                }
                // Said before asking, so that room made meanwhile is not missed.
                hasRoom = false
                return port
            }
            guard let receiver else { return }
            rest = rest.dropFirst(receiver.receive(rest))
            if rest.isEmpty { condition.withLock { hasRoom = true } }
        }
    }
}
