import GuestMemory
import LinuxSystem

/// What saving a guest's memory has come to, in bytes.
public struct SavedMemory: Equatable, Sendable {
    /// From this process's memory, without pages of zeros.
    public var written: UInt64 = 0
    /// From the file that the memory maps.
    public var copied: UInt64 = 0
}

extension MemoryFile {
    /// Writes all memory. Of memory without a source, pages that are not touched are holes, and so are those of zeros. Of
    /// memory with one, the process's own pages come from its memory, and all others from the source, without being touched.
    func save(_ memory: GuestMemory, map: PageMap?) throws(SnapshotError) -> SavedMemory {
        var saved = SavedMemory()
        var extents = FileExtents()
        for region in hostRegions(of: memory) {
            var runs = PageRuns(region.host, count: region.count, isOfFile: memory.source != nil, map: map)
            while let run = runs.next() {
                if run.isOwn {
                    saved.written += try write(run, of: region)
                    continue
                }
                switch memory.source {
                case .some(let source): saved.copied += try copy(region.offsets(of: run), from: source, &extents)
                case nil: break
                }
            }
        }
        return saved
    }

    /// Writes only the process's own pages of memory that is a private mapping of a file, and says which these are.
    func saveDifference(_ memory: GuestMemory, map: PageMap?) throws(SnapshotError) -> (SavedMemory, PageBitmap) {
        var saved = SavedMemory()
        var pages = PageBitmap(pageCount: SnapshotContents.pageCount(memory.layout.size))
        for region in hostRegions(of: memory) {
            var runs = PageRuns(region.host, count: region.count, isOfFile: true, map: map)
            while let run = runs.next() {
                guard run.isOwn else { continue }
                let offsets = region.offsets(of: run)
                pages.insert(Int(offsets.lowerBound / RAMLayout.pageSize)..<Int(offsets.upperBound / RAMLayout.pageSize))
                saved.written += try write(run, of: region)
            }
        }
        return (saved, pages)
    }

    private func write(_ run: PageRuns.Run, of region: HostRegion) throws(SnapshotError) -> UInt64 {
        try write(region.host + run.range.lowerBound, count: run.range.count, at: region.offsets(of: run).lowerBound)
    }

    private func copy(
        _ offsets: Range<UInt64>, from source: borrowing FileDescriptor, _ extents: inout FileExtents
    ) throws(SnapshotError) -> UInt64 {
        var rest = offsets
        var copied: UInt64 = 0
        do throws(Errno) {
            while let data = try extents.data(in: rest, of: source) {
                try source.copy(data, to: descriptor)
                copied += UInt64(data.count)
                rest = data.upperBound..<rest.upperBound
            }
        } catch {
            throw .file(path: path, error)
        }
        return copied
    }
}

/// A part of guest RAM: where it lies in this process and in a file that has all RAM in a row.
private struct HostRegion {
    let host: UnsafeMutableRawPointer
    let count: Int
    let offset: UInt64

    func offsets(of run: PageRuns.Run) -> Range<UInt64> {
        (offset + UInt64(run.range.lowerBound))..<(offset + UInt64(run.range.upperBound))
    }
}

/// Valid for as long as the memory.
private func hostRegions(of memory: GuestMemory) -> [HostRegion] {
    var regions: [HostRegion] = []
    var offset: UInt64 = 0
    memory.forEachRegion { region, host in
        regions.append(HostRegion(host: host, count: Int(region.count), offset: offset))
        offset += region.count
    }
    return regions
}
