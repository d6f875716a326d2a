import CImage
import LinuxSystem

/// A container's own writable disk: an ext4 file system with a journal in a sparse file.
public enum WritableLayer {
    /// The smallest disk: what is smaller has no room for a journal.
    public static let minimumSize: UInt64 = 16 << 20
    /// The largest: 16 TiB, what 32-bit block numbers reach.
    public static let maximumSize: UInt64 = 16 << 40 - 4096

    /// Makes the file, which must not exist, of `size` bytes, a multiple of 4096. Takes milliseconds: what is not zero in an empty
    /// file system of that size is copied from a template, which is made in the store when it is missing.
    ///
    /// The file is not on the disk when this returns: a disk that a power failure meets before its guest wrote to it may be empty.
    public static func make(at path: String, size: UInt64, store: ImageStore) throws(ImageError) {
        guard size % 4096 == 0, (minimumSize...maximumSize).contains(size) else {
            throw .unsupported(what: path, reason: "a disk of \(size) bytes, expected a multiple of 4096 from 16 MiB to 16 TiB")
        }
        let template = try store.template(size: size)
        do throws(Errno) {
            let file = try FileDescriptor.open(path, [.readWrite, .create, .exclusive])
            do throws(Errno) {
                try file.truncate(to: size)
                var offset: UInt64 = 0
                while let range = try template.file.nextData(from: offset) {
                    try template.file.copy(range, to: file)
                    offset = range.upperBound
                }
            } catch {
                try? removeFile(path)
                throw error
            }
        } catch {
            throw ImageError(path, error)
        }
    }
}

extension ImageStore {
    /// The template of writable disks of a size, made when it is missing or not whole. The position of the open file belongs to the caller:
    /// each call opens it anew.
    fileprivate func template(size: UInt64) throws(ImageError) -> LockedFile {
        let path = "\(roots)/\(Self.writablePrefix)1-\(size).ext4"
        let partial = "\(path).partial"
        while true {
            if let existing = try existingTemplate(path, size) { return existing }
            guard let locked = try LockedFile.exclusive(partial, waiting: true) else { continue }
            // Who had the lock may have made it.
            if let existing = try existingTemplate(path, size) {
                try? removeFile(partial)
                return existing
            }
            do throws(ImageError) {
                try format(partial, locked, size)
                do throws(Errno) {
                    try locked.file.synchronizeData()
                    try renameFile(partial, to: path)
                    try locked.file.unlock()
                } catch {
                    throw ImageError(path, error)
                }
            } catch {
                try? removeFile(partial)
                throw error
            }
        }
    }

    private func existingTemplate(_ path: String, _ size: UInt64) throws(ImageError) -> LockedFile? {
        guard let locked = try LockedFile.shared(path), try locked.isWholeExt4(path, size: size) else { return nil }
        return locked
    }

    private func format(_ path: String, _ locked: LockedFile, _ size: UInt64) throws(ImageError) {
        do throws(Errno) {
            try locked.file.truncate(to: 0)
            try locked.file.truncate(to: size)
        } catch {
            throw ImageError(path, error)
        }
        do throws(LayerFailure) {
            try Ext4FileSystem(writableAt: path, size: size).close()
        } catch {
            switch error {
            case .image(let error): throw error
            case .invalid(let reason): throw .unsupported(what: path, reason: reason)
            }
        }
    }
}

extension Ext4FileSystem {
    /// An empty file system with a journal in a file that reads as zeros, which nobody needs to write then: groups are marked as
    /// not yet used, their inode tables as zeroed, and the kernel has nothing to do in the background after the first mount.
    fileprivate convenience init(writableAt path: String, size: UInt64) throws(LayerFailure) {
        let blocks = size / 4096
        var parameters = ext2_super_block()
        parameters.s_rev_level = 1
        parameters.s_log_block_size = 2
        parameters.s_inode_size = 256
        parameters.s_blocks_count = UInt32(clamping: blocks)
        // A file for every 16 KiB, as mke2fs has it.
        parameters.s_inodes_count = UInt32(clamping: max(blocks / 4, 1024))
        parameters.s_log_groups_per_flex = 4
        parameters.s_feature_compat = Feature.extendedAttributes | Feature.directoryIndex
        parameters.s_feature_incompat = Feature.fileType | Feature.extents | Feature.flexibleGroups
        // Checksums of group descriptors are what allows groups that are not written yet; those of all metadata only cost here.
        parameters.s_feature_ro_compat = Feature.sparseSuper | Feature.largeFile | Feature.hugeFile | Feature.groupChecksums
            | Feature.manyLinks | Feature.extraInodeSize
        try self.init(initializing: path, &parameters)
        setIdentity((0..<4).map { _ in UInt32.random(in: 0 ... .max) }, time: nil)
        try addEmptyRoot(journalBlocks: ext2fs_default_journal_size(blocks))
    }
}
