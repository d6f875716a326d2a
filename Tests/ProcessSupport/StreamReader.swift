import Glibc
import LinuxSystem

/// The bytes of a stream, read as they come by a thread of its own.
public final class StreamReader: @unchecked Sendable {
    // Sound: everything below is behind the condition's mutex.
    private let condition = Condition()
    private var raw: Int32?
    private var collected: [UInt8] = []
    private var hasEnded: Bool

    init(_ descriptor: consuming FileDescriptor?) {
        raw = descriptor?.release()
        hasEnded = raw == nil
    }

    deinit {
        if let raw { close(raw) }
    }

    /// Starts reading.
    public func start() throws(Errno) {
        let taken = condition.withLock {
            defer { raw = nil }
            return raw
        }
        guard let taken else { return }
        _ = try Thread(name: "reader") { [self] in readAll(taken) }
    }

    /// Reads once, before `start`; returns how many bytes came.
    public func readSome(limit: Int) throws(Errno) -> Int {
        guard let raw = condition.withLock({ raw }) else { return 0 }
        var chunk = [UInt8](repeating: 0, count: limit)
        var result: Result<Int, Errno> = .success(0)
        chunk.withUnsafeMutableBytes { buffer in
            do throws(Errno) {
                result = .success(try read(raw, into: buffer))
            } catch {
                result = .failure(error)
            }
        }
        let count = try result.get()
        condition.withLock { collected += chunk[..<count] }
        return count
    }

    /// Closes the stream unread.
    func discard() {
        condition.withLock {
            if let raw { close(raw) }
            raw = nil
            hasEnded = true
        }
    }

    private func readAll(_ raw: Int32) {
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while let count = chunk.withUnsafeMutableBytes({ try? read(raw, into: $0) }), count > 0 {
            condition.withLock {
                collected += chunk[..<count]
                condition.broadcast()
            }
        }
        close(raw)
        condition.withLock {
            hasEnded = true
            condition.broadcast()
        }
    }

    /// What has come until now.
    public var bytes: [UInt8] { condition.withLock { collected } }
    public var text: String { String(decoding: bytes, as: UTF8.self) }

    /// Waits until the stream has ended and returns all of it.
    @discardableResult
    public func waitForEnd() throws -> [UInt8] {
        try wait("the end of the stream") { hasEnded ? true : nil }
        return bytes
    }

    /// As `waitForEnd`. What a process wrote last may be read after its end.
    public func wholeText() throws -> String { String(decoding: try waitForEnd(), as: UTF8.self) }

    /// Waits until the text has come so many times after the first `offset` bytes; returns where it ends.
    @discardableResult
    public func wait(for text: String, times: Int = 1, after offset: Int = 0) throws -> Int {
        let wanted = Array(text.utf8)
        var searched = offset
        var found = 0
        return try wait("'\(text)'") {
            while let next = collected.firstIndex(of: wanted, from: searched) {
                searched = next + wanted.count
                found += 1
                if found == times { return searched }
            }
            searched = max(searched, collected.count - wanted.count + 1)
            return nil
        }
    }

    @discardableResult
    private func wait<Result>(_ what: String, _ check: () -> Result?) throws -> Result {
        let deadline = Clock.monotonicNanoseconds() + patience
        let result = condition.withLock { () -> Result? in
            while true {
                if let result = check() { return result }
                if hasEnded || !condition.wait(until: deadline) { return nil }
            }
        }
        guard let result else { throw DeadlinePassed(description: "\(what) did not come, but: \(text.suffix(500))") }
        return result
    }
}

extension [UInt8] {
    /// Where these bytes, at least one, begin at or after an offset.
    fileprivate func firstIndex(of wanted: [UInt8], from start: Int) -> Int? {
        withUnsafeBytes { bytes in
            var place = start
            while place + wanted.count <= bytes.count, let base = bytes.baseAddress {
                let rest = bytes.count - wanted.count + 1 - place
                guard let found = memchr(base + place, Int32(wanted[0]), rest) else { return nil }
                place = UnsafeRawPointer(found) - base
                if memcmp(found, wanted, wanted.count) == 0 { return place }
                place += 1
            }
            return nil
        }
    }
}
