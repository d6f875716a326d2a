import LinuxSystem

extension FileDescriptor {
    /// Bytes that the ext4 file system in this file has, as its superblock says; nil when there is none.
    ///
    /// Source: Documentation/filesystems/ext4/super.rst (Linux): s_blocks_count_lo, s_log_block_size, s_magic. Ours have no
    /// 64-bit block numbers.
    func ext4Size() throws(Errno) -> UInt64? {
        let start = 1024
        let bytes = try prefix(start + 1024)
        guard bytes.count == start + 1024 else { return nil }
        func number(_ offset: Int, _ count: Int) -> UInt64 {
            (0..<count).reduce(0) { $0 | UInt64(bytes[start + offset + $1]) << (8 * UInt64($1)) }
        }
        let (blocks, shift) = (number(4, 4), number(24, 4))
        guard number(56, 2) == 0xEF53, blocks > 0, shift <= 6 else { return nil }
        return blocks << (10 + shift)
    }
}

extension LockedFile {
    /// Whether the file holds all of its file system. A file that the host's own lost a part of, after a power failure or by a
    /// copy that was cut short, would be mounted, and fail in the middle of a container's work.
    ///
    /// - Parameter size: of the file; nil: what the file system says.
    func isWholeExt4(_ path: String, size: UInt64? = nil) throws(ImageError) -> Bool {
        do throws(Errno) {
            let found = try file.status().size
            guard let expected = try file.ext4Size() else { return false }
            // libext2fs leaves out a last group that is too small to be one: then the file is longer than the file system.
            return size.map { found == $0 && expected <= $0 } ?? (found == expected)
        } catch {
            throw ImageError(path, error)
        }
    }
}
