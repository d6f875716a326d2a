import CLinux
import Glibc
import LinuxSystem
import TestSupport

/// Where a file's data lies on the disk (FS_IOC_FIEMAP of linux/fs.h): what is not durable has no place yet, where the file
/// system chooses places as late as it can, as ext4, XFS and Btrfs do.
struct ExtentMap {
    /// Some data has no place on the disk.
    let isDelayed: Bool

    init(_ path: String) throws {
        let file = try FileDescriptor.open(path, .readOnly)
        let count = 64
        // struct fiemap and struct fiemap_extent of linux/fiemap.h
        var map = [UInt8](repeating: 0, count: 32 + 56 * count)
        map.put(UInt64.max, at: 8)  // fm_length
        map.put(UInt32(count), at: 24)  // fm_extent_count
        let result = map.withUnsafeMutableBytes { svmm_ioctl_pointer(file.raw, 0xC020_660B, $0.baseAddress) }
        guard result == 0 else { throw Errno.current }
        let extents = Int(map.get(UInt32.self, at: 20))  // fm_mapped_extents
        // FIEMAP_EXTENT_DELALLOC
        isDelayed = (0..<extents).contains { map.get(UInt32.self, at: 32 + 56 * $0 + 40) & 4 != 0 }
    }

    /// Whether the file system of temporary directories delays, and tells.
    static let isTelling: Bool = {
        let directory = TemporaryDirectory()
        guard let path = try? directory.file("new", [UInt8](repeating: 1, count: 8192)) else { return false }
        return (try? ExtentMap(path).isDelayed) == true
    }()
}
