import CImage
import Glibc

/// One entry of a tar. Names and values are bytes as the archive has them.
struct TarEntry {
    enum Kind {
        case regular, directory, fifo
        case symbolicLink(target: [UInt8])
        case hardLink(target: [UInt8])
        case characterDevice(major: UInt32, minor: UInt32)
        case blockDevice(major: UInt32, minor: UInt32)
    }

    var path: [UInt8]
    var kind: Kind
    /// The permission bits, with set-id and sticky bits.
    var permissions: UInt16
    var user: Int64
    var group: Int64
    /// Bytes of a regular file; holes count.
    var size: Int64
    var modified: Int64
    var modifiedNanoseconds: UInt32
    var attributes: [(name: [UInt8], value: [UInt8])]
}

/// Reads a tar (ustar, GNU, pax) that comes in pieces, by libarchive. One thread; on another, use a reader of its own.
///
/// `next` may give bytes that are valid until it is called again. It is called for the archive's bytes only: what follows the
/// tar's end is the caller's to read.
final class TarReader {
    private let archive: OpaquePointer
    private let next: () throws(LayerFailure) -> UnsafeRawBufferPointer?
    private var failure: LayerFailure?
    /// Bytes that libarchive has taken since it was called. What it takes for one entry's header, or for the map of a sparse file,
    /// it keeps in memory.
    private var taken = 0
    private static let callLimit = 16 << 20
    private let localeBefore: UnsafeMutableRawPointer?
    private var entry: OpaquePointer?

    /// - Parameter compressed: let libarchive undo gzip and zstd.
    init(compressed: Bool = false, next: @escaping () throws(LayerFailure) -> UnsafeRawBufferPointer?) throws(LayerFailure) {
        guard let archive = archive_read_new() else { throw .invalid("no memory for reading") }
        self.archive = archive
        self.next = next
        localeBefore = svmm_use_utf8_locale()
        archive_read_support_format_tar(archive)
        archive_read_support_format_empty(archive)
        if compressed {
            archive_read_support_filter_gzip(archive)
            archive_read_support_filter_zstd(archive)
        }
        // Sound: the callback runs inside calls of this object's methods only.
        let context = Unmanaged.passUnretained(self).toOpaque()
        let result = archive_read_open(archive, context, nil, { _, context, buffer in
            Unmanaged<TarReader>.fromOpaque(context!).takeUnretainedValue().supply(buffer!)
        }, nil)
        try check(result)
    }

    deinit {
        archive_read_free(archive)
        svmm_restore_locale(localeBefore)
    }

    private func supply(_ buffer: UnsafeMutablePointer<UnsafeRawPointer?>) -> Int {
        // libarchive takes an ENOMEM that it finds here after a name it could not convert for its own.
        defer { errno = 0 }
        do throws(LayerFailure) {
            guard let bytes = try next() else { return 0 }
            taken += bytes.count
            guard taken <= Self.callLimit else { throw .invalid("a header, or a sparse file's map, of more than 16 MiB") }
            buffer.pointee = bytes.baseAddress
            return bytes.count
        } catch {
            failure = error
            return Int(ARCHIVE_FATAL)
        }
    }

    /// A result that is worse than a warning is thrown.
    private func check(_ result: Int32) throws(LayerFailure) {
        if let failure { throw failure }
        guard result < ARCHIVE_WARN else { return }
        throw .invalid(archive_error_string(archive).map { String(cString: $0) } ?? "damaged tar")
    }

    /// The next entry; nil at the end.
    func nextEntry() throws(LayerFailure) -> TarEntry? {
        try skipData()
        taken = 0
        errno = 0
        let result = archive_read_next_header(archive, &entry)
        if result == ARCHIVE_EOF {
            if let failure { throw failure }
            return nil
        }
        try check(result)
        guard let entry else { throw .invalid("damaged tar") }
        guard let path = bytes(archive_entry_pathname(entry)) else { throw .invalid("an entry's name is not UTF-8") }
        // A link whose target cannot be converted looks like a file, but for this warning.
        let warning = result == ARCHIVE_WARN ? archive_error_string(archive).map { String(cString: $0) } ?? "" : ""
        guard !warning.hasPrefix("Linkname") else { throw .invalid("\(quoted(path)): the link's target is not UTF-8") }
        return TarEntry(
            path: path, kind: try kind(of: entry, path), permissions: UInt16(archive_entry_perm(entry) & 0o7777),
            user: archive_entry_uid(entry), group: archive_entry_gid(entry), size: archive_entry_size(entry),
            modified: Int64(archive_entry_mtime(entry)), modifiedNanoseconds: UInt32(clamping: archive_entry_mtime_nsec(entry)),
            attributes: attributes(of: entry))
    }

    /// Passes over data that nobody has read, however much.
    private func skipData() throws(LayerFailure) {
        guard entry != nil else { return }
        while try nextData() != nil {}
        entry = nil
    }

    private func kind(of entry: OpaquePointer, _ path: [UInt8]) throws(LayerFailure) -> TarEntry.Kind {
        if let target = bytes(archive_entry_hardlink(entry)) { return .hardLink(target: target) }
        let major = UInt32(truncatingIfNeeded: archive_entry_rdevmajor(entry))
        let minor = UInt32(truncatingIfNeeded: archive_entry_rdevminor(entry))
        switch UInt32(archive_entry_filetype(entry)) {
        case 0o040000: return .directory
        case 0o010000: return .fifo
        case 0o020000: return .characterDevice(major: major, minor: minor)
        case 0o060000: return .blockDevice(major: major, minor: minor)
        case 0o120000: return .symbolicLink(target: bytes(archive_entry_symlink(entry)) ?? [])
        case 0o100000: return .regular
        default: throw .invalid("\(quoted(path)): unknown type of entry")
        }
    }

    private func attributes(of entry: OpaquePointer) -> [(name: [UInt8], value: [UInt8])] {
        guard archive_entry_xattr_reset(entry) > 0 else { return [] }
        var found: [(name: [UInt8], value: [UInt8])] = []
        var name: UnsafePointer<CChar>?
        var value: UnsafeRawPointer?
        var count = 0
        while archive_entry_xattr_next(entry, &name, &value, &count) == ARCHIVE_OK {
            guard let name = bytes(name) else { continue }
            found.append((name, [UInt8](UnsafeRawBufferPointer(start: value, count: value == nil ? 0 : count))))
        }
        return found
    }

    private func bytes(_ text: UnsafePointer<CChar>?) -> [UInt8]? {
        guard let text else { return nil }
        return [UInt8](UnsafeRawBufferPointer(start: text, count: strlen(text)))
    }

    /// The next piece of the current entry's data and where in the file it lies; nil at the end. What is between pieces is holes.
    func nextData() throws(LayerFailure) -> (offset: Int64, bytes: UnsafeRawBufferPointer)? {
        var start: UnsafeRawPointer?
        var count = 0
        var offset: Int64 = 0
        taken = 0
        let result = archive_read_data_block(archive, &start, &count, &offset)
        if result == ARCHIVE_EOF {
            if let failure { throw failure }
            return nil
        }
        try check(result)
        return (offset, UnsafeRawBufferPointer(start: start, count: count))
    }
}
