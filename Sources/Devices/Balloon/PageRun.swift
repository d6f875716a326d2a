import GuestMemory
import Virtio

/// Neighbouring pages of 4096 bytes, by number: the balloon's unit, whatever pages the guest has (virtio 1.2, 5.5.6).
///
/// Drivers list page after page, mostly upwards or downwards in a row: given back together they cost one system call.
struct PageRun {
    private(set) var first: UInt64 = 0
    private(set) var count: UInt64 = 0

    /// Takes a page that continues the run at either end; false when it does not.
    mutating func extend(with page: UInt32) -> Bool {
        let page = UInt64(page)
        if count == 0 || page &+ 1 == first {
            first = page
        } else if page != first + count {
            return false
        }
        count += 1
        return true
    }

    /// Calls `body` with the runs that the readable bytes of a chain list, little-endian numbers of 32 bits, of which `limit`
    /// are looked at. What is left of a number at the end counts for nothing.
    static func forEach(in chain: DescriptorChain, limit: Int, _ body: (PageRun) -> Void) {
        let end = min(chain.readableCount / 4, limit) * 4
        var run = PageRun()
        withUnsafeTemporaryAllocation(byteCount: 1024, alignment: 4) { buffer in
            var offset = 0
            while offset < end {
                let part = UnsafeMutableRawBufferPointer(rebasing: buffer[..<min(buffer.count, end - offset)])
                chain.read(at: offset, into: part)
                offset += part.count
                for place in stride(from: 0, to: part.count, by: 4) {
                    let page = UInt32(littleEndian: part.load(fromByteOffset: place, as: UInt32.self))
                    if run.extend(with: page) { continue }
                    body(run)
                    run = PageRun()
                    _ = run.extend(with: page)
                }
            }
        }
        if run.count > 0 { body(run) }
    }
}
