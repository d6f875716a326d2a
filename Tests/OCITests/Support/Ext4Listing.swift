import CImage
import LinuxSystem
import OCI
import ProcessSupport

/// What a root image holds, as libext2fs reads it.
struct Ext4Listing {
    struct File: Equatable {
        /// Type and permissions, octal.
        var mode: String
        var owner: String
        var inode: UInt32
        var links: UInt32
        var size: UInt64
        var modified: Int64
        var modifiedNanoseconds: UInt32
        /// Of a regular file, or the target of a link.
        var contents: [UInt8] = []
        /// MAJOR:MINOR.
        var device = ""
        var attributes: [String: [UInt8]] = [:]
        /// In units of 512 bytes.
        var blocks: UInt64
        var isIndexed = false
    }

    private(set) var files: [String: File] = [:]

    /// The paths, without the root, sorted; a directory ends with `/`.
    var paths: [String] { files.keys.filter { $0 != "/" }.map { files[$0]?.mode.hasPrefix("4") == true ? $0 + "/" : $0 }.sorted() }

    subscript(path: String) -> File? { files[path] }

    /// What a file holds, as text; nil when there is none.
    func text(_ path: String) -> String? { files[path].map { String(decoding: $0.contents, as: UTF8.self) } }

    init(_ path: String) throws {
        var handle: ext2_filsys?
        let code = ext2fs_open(path, EXT2_FLAG_64BITS, 0, 0, svmm_file_io(), &handle)
        guard code == 0, let handle else { throw Unreadable(path: path, code: code) }
        defer { ext2fs_free(handle) }
        try add("", 2, handle)
    }

    struct Unreadable: Error {
        var path: String
        var code: errcode_t
    }

    private mutating func add(_ path: String, _ number: UInt32, _ handle: ext2_filsys) throws {
        var inode = ext2_inode_large()
        let code = withUnsafeMutablePointer(to: &inode) { pointer in
            pointer.withMemoryRebound(to: ext2_inode.self, capacity: 1) {
                ext2fs_read_inode_full(handle, number, $0, Int32(MemoryLayout<ext2_inode_large>.size))
            }
        }
        guard code == 0 else { throw Unreadable(path: path, code: code) }
        let mode = UInt32(inode.i_mode)
        let size = UInt64(inode.i_size) | UInt64(inode.i_size_high) << 32
        let user = UInt32(inode.i_uid) | UInt32(inode.osd2.linux2.l_i_uid_high) << 16
        let group = UInt32(inode.i_gid) | UInt32(inode.osd2.linux2.l_i_gid_high) << 16
        // The two lowest bits of the extra word are those of the seconds above 32.
        let seconds = Int64(Int32(bitPattern: inode.i_mtime)) + Int64(inode.i_mtime_extra & 3) << 32
        var file = File(
            mode: String(mode, radix: 8), owner: "\(user):\(group)", inode: number, links: UInt32(inode.i_links_count), size: size,
            modified: seconds, modifiedNanoseconds: inode.i_mtime_extra >> 2,
            blocks: UInt64(inode.i_blocks) | UInt64(inode.osd2.linux2.l_i_blocks_hi) << 32,
            isIndexed: inode.i_flags & 0x1000 != 0)
        switch mode & 0o170000 {
        case 0o100000 where size <= 1 << 24: file.contents = try read(number, size, handle, path)
        case 0o120000:
            let isShort = size < 60
            file.contents = isShort
                ? withUnsafeBytes(of: &inode.i_block) { Array($0.prefix(Int(size))) } : try read(number, size, handle, path)
        case 0o020000, 0o060000:
            let (old, new) = (inode.i_block.0, inode.i_block.1)
            file.device = old != 0 ? "\(old >> 8 & 0xFF):\(old & 0xFF)" : "\(new >> 8 & 0xFFF):\(new & 0xFF | new >> 12 & 0xFFF00)"
        default: break
        }
        file.attributes = try attributes(number, handle, path)
        files[path.isEmpty ? "/" : path] = file
        guard mode & 0o170000 == 0o040000 else { return }
        for (name, child) in try entries(number, handle, path) { try add("\(path)/\(name)", child, handle) }
    }

    private func read(_ number: UInt32, _ size: UInt64, _ handle: ext2_filsys, _ path: String) throws -> [UInt8] {
        var file: ext2_file_t?
        var code = ext2fs_file_open(handle, number, 0, &file)
        guard code == 0 else { throw Unreadable(path: path, code: code) }
        defer { ext2fs_file_close(file) }
        var bytes = [UInt8](repeating: 0xEE, count: Int(size))
        var done = 0
        while done < bytes.count {
            var count: UInt32 = 0
            code = bytes.withUnsafeMutableBytes { ext2fs_file_read(file, $0.baseAddress! + done, UInt32($0.count - done), &count) }
            guard code == 0, count > 0 else { throw Unreadable(path: path, code: code) }
            done += Int(count)
        }
        return bytes
    }

    private final class Found {
        var entries: [(String, UInt32)] = []
        var attributes: [String: [UInt8]] = [:]
    }

    private func entries(_ number: UInt32, _ handle: ext2_filsys, _ path: String) throws -> [(String, UInt32)] {
        let found = Found()
        let code = ext2fs_dir_iterate2(handle, number, 0, nil, { _, _, entry, _, _, _, context in
            guard let entry, let context else { return 0 }
            let length = Int(entry.pointee.name_len & 0xFF)
            let name = withUnsafeBytes(of: &entry.pointee.name) { String(decoding: $0.prefix(length), as: UTF8.self) }
            if name != ".", name != ".." {
                Unmanaged<Found>.fromOpaque(context).takeUnretainedValue().entries.append((name, entry.pointee.inode))
            }
            return 0
        }, Unmanaged.passUnretained(found).toOpaque())
        guard code == 0 else { throw Unreadable(path: path, code: code) }
        return found.entries
    }

    private func attributes(_ number: UInt32, _ handle: ext2_filsys, _ path: String) throws -> [String: [UInt8]] {
        var attributes: OpaquePointer?
        guard ext2fs_xattrs_open(handle, number, &attributes) == 0 else { return [:] }
        defer { ext2fs_xattrs_close(&attributes) }
        let code = ext2fs_xattrs_read(attributes)
        guard code == 0 else { throw Unreadable(path: path, code: code) }
        let found = Found()
        ext2fs_xattrs_iterate(attributes, { name, value, count, context in
            guard let name, let context else { return 0 }
            let bytes = [UInt8](UnsafeRawBufferPointer(start: value, count: count))
            Unmanaged<Found>.fromOpaque(context).takeUnretainedValue().attributes[String(cString: name)] = bytes
            return 0
        }, Unmanaged.passUnretained(found).toOpaque())
        return found.attributes
    }
}

/// What `e2fsck -fn` has to say of an image; empty when it is clean.
func complaints(about path: String) throws -> String {
    guard let program = findProgram("e2fsck") ?? ["/sbin/e2fsck", "/usr/sbin/e2fsck"].first(where: { (try? fileStatus(at: $0)) != nil })
    else { return "no e2fsck" }
    let check = try ChildProcess([program, "-fn", path])
    return try check.waitForEnd() == .exited(0) ? "" : check.output.wholeText() + check.errors.wholeText()
}
