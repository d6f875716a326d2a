import LinuxSystem

/// What the guest has printed and the console has not yet taken: bounded, and the newest bytes win, so that neither a slow
/// reader nor a talkative guest can stall the guest or grow the monitor.
///
/// `append` from vCPU and device threads, `take` from the console's thread.
final class ConsoleBuffer: @unchecked Sendable {
    // Sound: everything below is behind the condition's mutex.
    private let condition = Condition()
    private let storage: UnsafeMutableBufferPointer<UInt8>
    private var start = 0
    private var count = 0
    private var droppedCount = 0
    private var isClosed = false
    /// Bytes taken whose writing has not been confirmed.
    private var writingCount = 0

    static let capacity = 1 << 20

    init() {
        storage = .allocate(capacity: Self.capacity)
    }

    deinit {
        storage.deallocate()
    }

    func append(_ byte: UInt8) {
        condition.withLock {
            if count == Self.capacity {
                start = (start + 1) % Self.capacity
                count -= 1
                droppedCount += 1
            }
            storage[(start + count) % Self.capacity] = byte
            count += 1
            if count == 1 { condition.broadcast() }
        }
    }

    /// As `append` byte by byte, at once.
    func append(_ bytes: UnsafeRawBufferPointer) {
        let newest = UnsafeRawBufferPointer(rebasing: bytes.suffix(Self.capacity))
        if newest.isEmpty { return }
        condition.withLock {
            let wasEmpty = count == 0
            let excess = max(count + newest.count - Self.capacity, 0)
            start = (start + excess) % Self.capacity
            count -= excess
            droppedCount += excess + bytes.count - newest.count
            let end = (start + count) % Self.capacity
            let first = min(newest.count, Self.capacity - end)
            let target = UnsafeMutableRawBufferPointer(storage)
            target[end...].copyBytes(from: newest[..<first])
            target.copyBytes(from: newest[first...])
            count += newest.count
            if wasEmpty { condition.broadcast() }
        }
    }

    /// Waits for bytes and takes some, up to `limit`; nil once the buffer is closed and empty. Says that the bytes taken
    /// before have been written.
    func take(limit: Int) -> [UInt8]? {
        condition.withLock {
            writingCount = 0
            if count == 0 { condition.broadcast() }
            while count == 0 {
                if isClosed { return nil }
                condition.wait()
            }
            let length = min(limit, count, Self.capacity - start)
            let bytes = Array(storage[start..<(start + length)])
            start += length
            count -= length
            // Beginning anew when empty keeps the pages that are touched few.
            if count == 0 || start == Self.capacity { start = 0 }
            writingCount = length
            return bytes
        }
    }

    /// Counts bytes that were taken and could not be written.
    func reportLost(_ count: Int) {
        condition.withLock { droppedCount += count }
    }

    /// No more bytes will come: waits until all are written, at most for a time in nanoseconds.
    func close(waitingFor time: UInt64) {
        let deadline = Clock.monotonicNanoseconds() + time
        condition.withLock {
            isClosed = true
            condition.broadcast()
            while count > 0 || writingCount > 0 {
                if !condition.wait(until: deadline) { return }
            }
        }
    }

    /// Bytes lost because nobody took them in time, those still waiting or being written included once the buffer is closed.
    var lostCount: Int {
        condition.withLock { droppedCount + (isClosed ? count + writingCount : 0) }
    }
}
