import LinuxSystem

/// What a save that came to a sudden end has left beside a snapshot's name: `.NAME.partial-PID-` and 16 hexadecimal digits.
enum AbandonedDirectories {
    private static let digitCount = 16

    static func newName(for name: FileName) throws(Errno) -> FileName {
        let digits = String(UInt64.random(in: 0 ... .max), radix: 16)
        let padding = String(repeating: "0", count: digitCount - digits.utf8.count)
        return try FileName(prefix(name) + "\(CurrentProcess.identifier)-\(padding)\(digits)".utf8)
    }

    private static func prefix(_ name: FileName) -> [UInt8] {
        [UInt8(ascii: ".")] + name.bytes + ".partial-".utf8
    }

    /// Removes those of a snapshot's name that nobody has locked. What cannot be removed stays: it is in nobody's way.
    static func remove(of name: FileName, in parent: borrowing FileDescriptor) {
        guard let names = try? parent.entryNames() else { return }
        for other in names where isPartial(other, of: name) {
            // No directory, no longer there, or not ours to open: nothing to do.
            guard let directory = try? parent.open(other, [.readOnly, .directory]),
                  let attributes = try? directory.attributes(), attributes.user == CurrentProcess.user,
                  (try? directory.tryLockWhole()) == true else { continue }
            remove(other, directory, in: parent)
        }
    }

    /// Removes the directory with the files that a snapshot has. With any other file in it, it stays.
    static func remove(_ name: FileName, _ directory: borrowing FileDescriptor, in parent: borrowing FileDescriptor) {
        for text in [SnapshotFiles.state, SnapshotFiles.memory] {
            if let file = try? FileName(text.utf8) { try? directory.remove(file, isDirectory: false) }
        }
        try? parent.remove(name, isDirectory: true)
    }

    private static func isPartial(_ other: FileName, of name: FileName) -> Bool {
        let (bytes, prefix) = (other.bytes, prefix(name))
        guard bytes.starts(with: prefix) else { return false }
        let parts = bytes[prefix.count...].split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
        return parts.count == 2 && !parts[0].isEmpty && parts[0].allSatisfy { (48...57).contains($0) }
            && parts[1].count == digitCount && parts[1].allSatisfy { (48...57).contains($0) || (97...102).contains($0) }
    }
}
