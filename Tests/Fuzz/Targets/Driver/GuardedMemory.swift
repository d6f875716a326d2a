import Glibc
import GuestMemory
import LinuxSystem

/// Guest memory behind whose end, in this process, lie pages that may not be touched: whoever reads or writes past it is noticed.
final class GuardedMemory {
    private static let guardCount = 1 << 16

    let memory: GuestMemory
    private var guardPages: UnsafeMutableRawPointer?

    /// - Parameter size: bytes, as `RAMLayout` takes them.
    init(size: UInt64) throws {
        guard let layout = RAMLayout(size: size) else { throw Errno.invalidArgument }
        memory = try GuestMemory(layout: layout)
        var end: UnsafeMutableRawPointer?
        memory.forEachRegion { region, host in
            // Runs are many and touch little.
            _ = madvise(host, Int(region.count), MADV_NOHUGEPAGE)
            end = host + Int(region.count)
        }
        // Where another mapping lies there already, that is as it is.
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | 0x10_0000  // MAP_FIXED_NOREPLACE
        let place = mmap(end, Self.guardCount, PROT_NONE, flags, -1, 0)
        if place != MAP_FAILED { guardPages = place }
    }

    deinit {
        if let guardPages { munmap(guardPages, Self.guardCount) }
    }
}
