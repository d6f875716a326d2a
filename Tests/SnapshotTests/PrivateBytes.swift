import GuestMemory
import LinuxSystem
@testable import Snapshot

/// Bytes of the guest's memory that this process has of its own: what it has touched, and where the memory has a source, what
/// is no longer the source's. nil where the kernel does not say. Touches nothing; any thread may ask.
func privateBytes(of memory: GuestMemory) -> UInt64? {
    guard let map = try? PageMap() else { return nil }
    var sum: UInt64 = 0
    memory.forEachRegion { region, host in
        var runs = PageRuns(host, count: Int(region.count), isOfFile: true, map: map)
        while let run = runs.next() {
            if run.isOwn { sum += UInt64(run.range.count) }
        }
    }
    return sum
}
