import LinuxSystem

/// Writes a tar of few files with short names (POSIX ustar; sizes above 8 GiB in the form of GNU and libarchive).
struct TarWriter: ~Copyable {
    private let output: FileDescriptor
    private let path: String
    /// Bytes of the current file that are still to come.
    private var missing: UInt64 = 0
    private var padding = 0

    init(_ output: consuming FileDescriptor, path: String) {
        self.output = output
        self.path = path
    }

    /// Adds a file of which all bytes are here.
    mutating func add(_ name: String, _ bytes: [UInt8]) throws(ImageError) {
        try begin(name, size: UInt64(bytes.count))
        try bytes.withRawBytes { bytes throws(ImageError) in try append(bytes) }
        try end()
    }

    /// Begins a file of `size` bytes, which `append` gives and `end` ends. `name` has up to 100 bytes.
    mutating func begin(_ name: String, size: UInt64) throws(ImageError) {
        var header = [UInt8](repeating: 0, count: 512)
        func put(_ text: String, at offset: Int) { header.replaceSubrange(offset..<(offset + text.utf8.count), with: text.utf8) }
        func octal(_ value: UInt64, digits: Int) -> String {
            let text = String(value, radix: 8)
            return String(repeating: "0", count: max(0, digits - text.utf8.count)) + text
        }
        guard name.utf8.count <= 100 else { throw .file(path: path, .nameTooLong) }
        put(name, at: 0)
        put(octal(0o644, digits: 7), at: 100)
        put(octal(0, digits: 7), at: 108)
        put(octal(0, digits: 7), at: 116)
        if size < 1 << 33 {
            put(octal(size, digits: 11), at: 124)
        } else {
            header[124] = 0x80
            for index in 0..<8 { header[128 + index] = UInt8(truncatingIfNeeded: size >> (8 * (7 - UInt64(index)))) }
        }
        put(octal(0, digits: 11), at: 136)
        put("        ", at: 148)
        put("0", at: 156)
        put("ustar", at: 257)
        put("00", at: 263)
        let sum = header.reduce(0) { $0 + UInt64($1) }
        put(octal(sum, digits: 6) + "\0 ", at: 148)
        try write(header)
        missing = size
        padding = Int((512 - size % 512) % 512)
    }

    mutating func append(_ bytes: UnsafeRawBufferPointer) throws(ImageError) {
        guard UInt64(bytes.count) <= missing else {
            throw .sizeMismatch(what: path, expected: missing, found: UInt64(bytes.count))
        }
        missing -= UInt64(bytes.count)
        do throws(Errno) {
            try output.writeAll(bytes)
        } catch {
            throw ImageError(path, error)
        }
    }

    mutating func end() throws(ImageError) {
        guard missing == 0 else { throw .sizeMismatch(what: path, expected: missing, found: 0) }
        try write([UInt8](repeating: 0, count: padding))
    }

    /// Ends the archive.
    mutating func finish(durably: Bool) throws(ImageError) {
        try write([UInt8](repeating: 0, count: 1024))
        guard durably else { return }
        do throws(Errno) {
            try output.synchronizeData()
        } catch {
            throw ImageError(path, error)
        }
    }

    private func write(_ bytes: [UInt8]) throws(ImageError) {
        try bytes.withRawBytes { bytes throws(ImageError) in
            do throws(Errno) {
                try output.writeAll(bytes)
            } catch {
                throw ImageError(path, error)
            }
        }
    }
}
