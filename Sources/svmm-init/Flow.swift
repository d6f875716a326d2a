/// Carries bytes from one descriptor to another until the first ends or the second takes no more.
///
/// Reads nothing before all that it has read is written, so that whoever writes at one end feels how slowly the other end reads, and no more
/// than one part is held here.
final class Flow {
    let source: Channel
    let destination: Channel
    private var pending: [UInt8] = []
    private var sent = 0
    private var sourceHasEnded = false
    private(set) var end: End?
    /// Whether the owner has done what the end asks for.
    var isSettled = false
    /// When nobody writes to the source any more who counts: how much is still taken from it. Otherwise nil.
    private var remainder: Int?

    enum End {
        case ofSource, ofDestination
    }

    init(from source: Channel, to destination: Channel) {
        self.source = source
        self.destination = destination
    }

    var wantsToRead: Bool { end == nil && pending.isEmpty && !sourceHasEnded }
    var wantsToWrite: Bool { end == nil && !pending.isEmpty }

    /// From now on only what is already there counts, at most `limit` bytes, whoever may still hold the other end.
    func drain(limit: Int) {
        if remainder == nil { remainder = limit }
    }

    /// Stops where it is.
    func cancel() {
        if end == nil { end = .ofSource }
        pending = []
    }

    /// Moves what can be moved without waiting, but not for ever: others want to as well.
    func advance(_ scratch: UnsafeMutableRawBufferPointer) {
        for _ in 0..<8 where end == nil {
            if !pending.isEmpty {
                let rest = pending[sent...].withUnsafeBytes { bytes in write(bytes) }
                guard let rest, rest == pending.count - sent else {
                    sent += rest ?? 0
                    return
                }
                pending = []
                sent = 0
            } else if sourceHasEnded || remainder.map({ $0 <= 0 }) == true {
                end = .ofSource
            } else {
                guard fill(scratch) else { return }
            }
        }
    }

    /// How many bytes the destination took, at least one; nil when it takes none now, or none ever.
    private func write(_ bytes: UnsafeRawBufferPointer) -> Int? {
        let count = retrying { svmm_init.write(destination.file, bytes.baseAddress, bytes.count) }
        if count > 0 { return count }
        if count < 0, agent_errno() == EAGAIN { return nil }
        pending = []
        sent = 0
        end = .ofDestination
        return nil
    }

    /// Reads a part and writes it at once as far as that goes; false when there is nothing to read now.
    private func fill(_ scratch: UnsafeMutableRawBufferPointer) -> Bool {
        let size = min(scratch.count, remainder ?? scratch.count)
        let count = retrying { read(source.file, scratch.baseAddress, size) }
        if count < 0, agent_errno() == EAGAIN {
            // Of a process that has ended no more will come.
            guard remainder != nil else { return false }
            sourceHasEnded = true
            return true
        }
        // A pseudoterminal without a process ends by EIO.
        guard count > 0 else {
            sourceHasEnded = true
            return true
        }
        if let rest = remainder { remainder = rest - count }
        let part = UnsafeRawBufferPointer(rebasing: scratch[..<count])
        let written = write(part) ?? 0
        if end == nil, written < count { pending = Array(part[written...]) }
        return true
    }
}
