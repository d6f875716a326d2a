import LinuxSystem

/// A part of a snapshot's file `state`, for messages.
public enum SnapshotPart: Equatable, Sendable, CustomStringConvertible {
    /// All that comes before the contents of the sections: what the snapshot is, and the table of its sections.
    case header
    /// Sections are counted from 0.
    case section(Int, SectionKind)

    public var description: String {
        switch self {
        case .header: "header"
        case .section(let index, let kind): "section \(index) (\(kind.name))"
        }
    }
}

/// Why a snapshot cannot be saved or restored: one line that begins with the file.
public enum SnapshotError: Error, Equatable, CustomStringConvertible {
    /// A call to the system failed.
    case file(path: String, Errno)
    /// The snapshot's directory, or one of its files, is not there.
    case missing(path: String)
    /// A file of another kind than the snapshot's.
    case kind(path: String, found: String, expected: String)
    /// The name of a new snapshot is taken.
    case exists(path: String)
    /// A path that cannot be that of a new snapshot.
    case name(path: String)
    /// The file does not begin as a snapshot does.
    case magic(path: String)
    case version(path: String, found: UInt32, expected: UInt32)
    /// The file ends too early: it has `found` bytes, and the part would end at `expected`.
    case truncated(path: String, SnapshotPart, found: UInt64, expected: UInt64)
    case checksum(path: String, SnapshotPart, found: UInt32, expected: UInt32)
    /// More than the format allows, in bytes.
    case tooLong(path: String, SnapshotPart, found: UInt64, limit: UInt64)
    /// As `tooLong`, of the whole file.
    case fileTooLong(path: String, found: UInt64, limit: UInt64)
    case tooManySections(path: String, found: UInt64, limit: UInt64)
    /// Bytes behind the last section.
    case trailingBytes(path: String, found: UInt64, expected: UInt64)
    /// A value that none can have written: what it is and what was expected.
    case invalid(path: String, SnapshotPart, String)
    /// A section that the machine needs is not there.
    case missingSection(path: String, SectionKind)
    /// The file `memory` has not as many bytes as the guest's RAM.
    case memorySize(path: String, found: UInt64, expected: UInt64)
    /// The snapshot was made of a guest with other RAM, in bytes.
    case otherMemory(path: String, found: UInt64, expected: UInt64)
    /// A file `memory`, or a base, belongs to another snapshot.
    case otherSnapshot(path: String, found: SnapshotIdentifier, expected: SnapshotIdentifier)
    /// A difference's bases lead back to it.
    case loop(path: String)
    case tooDeep(path: String, limit: Int)
    /// The guest's memory maps another file than the base of its difference says.
    case otherBase(path: String)

    public var description: String {
        switch self {
        case .file(let path, let error): "\(path): \(error)"
        case .missing(let path): "\(path): not there, expected a snapshot: a directory with the files state and memory"
        case .kind(let path, let found, let expected): "\(path): \(found), expected \(expected)"
        case .exists(let path): "\(path): exists, expected a name that is free"
        case .name(let path): "\(path): no name for a directory, expected that of a snapshot to make"
        case .magic(let path): "\(path): not the state of a snapshot, expected SVMMSNAP as its first bytes"
        case .version(let path, let found, let expected):
            "\(path): format version \(found), expected \(expected); save the machine again with this version of svmm"
        case .truncated(let path, let part, let found, let expected):
            "\(path): truncated in its \(part): \(found) bytes long, expected \(expected) or more"
        case .checksum(let path, let part, let found, let expected):
            "\(path): damaged in its \(part): checksum \(hexadecimal(found)), expected \(hexadecimal(expected))"
        case .tooLong(let path, let part, let found, let limit):
            "\(path): \(part) of \(found) bytes, expected at most \(limit)"
        case .fileTooLong(let path, let found, let limit): "\(path): \(found) bytes long, expected at most \(limit)"
        case .tooManySections(let path, let found, let limit): "\(path): \(found) sections, expected at most \(limit)"
        case .trailingBytes(let path, let found, let expected):
            "\(path): \(found) bytes long, expected the end after \(expected)"
        case .invalid(let path, let part, let text): "\(path): invalid \(part): \(text)"
        case .missingSection(let path, let kind): "\(path): no section \(kind.name), expected one"
        case .memorySize(let path, let found, let expected):
            "\(path): \(found) bytes long, expected the \(expected) of the guest's RAM"
        case .otherMemory(let path, let found, let expected):
            "\(path): of a guest with \(found) bytes of RAM, expected \(expected)"
        case .otherSnapshot(let path, let found, let expected):
            "\(path): belongs to snapshot \(found), expected one of snapshot \(expected)"
        case .loop(let path): "\(path): a difference that is its own base, expected one of another snapshot"
        case .tooDeep(let path, let limit): "\(path): has too many bases, expected at most \(limit) snapshots in a row"
        case .otherBase(let path): "\(path): not what the guest's memory maps, expected a difference's base to be that"
        }
    }
}

private func hexadecimal(_ value: UInt32) -> String {
    "0x" + String(value, radix: 16)
}

/// Runs calls to the system about one file, so that the error names it.
func naming<Result: ~Copyable>(_ path: String, _ body: () throws(Errno) -> Result) throws(SnapshotError) -> Result {
    do throws(Errno) {
        return try body()
    } catch {
        throw .file(path: path, error)
    }
}
