import GuestMemory
import LinuxSystem

extension SnapshotReader {
    /// How much one call reads, in bytes.
    private static let transfer = 4 << 20

    /// Reads the pages of a difference into guest memory, which has its base's already. Does nothing for a snapshot that is no
    /// difference.
    ///
    /// Not while a virtual processor runs or a device works.
    public func applyDifference(to memory: GuestMemory) throws(SnapshotError) {
        guard let pages = contents.pages else { return }
        let file = try openMemory(size: memory.layout.size)
        let pageSize = Int(RAMLayout.pageSize)
        var start = 0
        try memory.forEachRegion { (region, host) throws(SnapshotError) in
            let end = start + Int(region.count)
            var page = start / pageSize
            while let run = pages.nextRun(from: page), run.lowerBound * pageSize < end {
                page = min(run.upperBound, end / pageSize)
                let range = (run.lowerBound * pageSize)..<(page * pageSize)
                try read(file, range, into: host + (range.lowerBound - start))
            }
            start = end
        }
    }

    private func read(
        _ file: borrowing FileDescriptor, _ range: Range<Int>, into host: UnsafeMutableRawPointer
    ) throws(SnapshotError) {
        var offset = range.lowerBound
        while offset < range.upperBound {
            let part = UnsafeMutableRawBufferPointer(
                start: host + (offset - range.lowerBound), count: min(range.upperBound - offset, Self.transfer))
            let count: Int
            do throws(Errno) {
                count = try file.read(into: part, at: UInt64(offset))
            } catch {
                throw .file(path: memoryPath, error)
            }
            guard count == part.count else {
                throw .memorySize(path: memoryPath, found: UInt64(offset + count), expected: contents.memorySize)
            }
            offset += count
        }
    }
}
