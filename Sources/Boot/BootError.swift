import GuestMemory
import LinuxSystem

/// Why a kernel, an initrd or a command line cannot be booted. The text says what was found and what was expected; whoever
/// reports it puts the option and the file's name before it.
public enum BootError: Error, Equatable, CustomStringConvertible {
    case notAKernel(found: String)
    case otherMachine(found: String)
    case truncated(what: String, end: UInt64, fileSize: UInt64)
    case invalidHeader(String)
    case needsMoreMemory(needed: UInt64, available: UInt64)
    case initrdTooLarge(size: UInt64, available: UInt64)
    case initrdEmpty
    case initrdKind
    case commandLineTooLong(length: Int, limit: Int)
    case memory(GuestMemoryError)
    case file(Errno)

    public var description: String {
        switch self {
        case .notAKernel(let found):
            "\(found), expected a Linux bzImage or an x86-64 ELF kernel (vmlinux)"
        case .otherMachine(let found):
            "a kernel for \(found), expected one for x86-64"
        case .truncated(let what, let end, let fileSize):
            "truncated: \(what) ends at byte \(end), the file has \(fileSize); copy or build it again"
        case .invalidHeader(let text):
            "invalid kernel header: \(text)"
        case .needsMoreMemory(let needed, let available):
            "the kernel needs RAM up to \(mebibytes(needed)), the guest has \(mebibytes(available)) below 3 GiB; raise --memory"
        case .initrdTooLarge(let size, let available):
            "\(mebibytes(size)) do not fit: \(mebibytes(available)) of guest memory are free for it; raise --memory"
        case .initrdKind:
            "not a regular file, expected a cpio archive"
        case .initrdEmpty:
            "empty, expected a cpio archive"
        case .commandLineTooLong(let length, let limit):
            "\(length) bytes with svmm's own parameters, the kernel takes at most \(limit)"
        case .memory(let error):
            "\(error)"
        case .file(let error):
            "\(error)"
        }
    }
}

/// For messages: whole mebibytes, rounded up.
func mebibytes(_ bytes: UInt64) -> String {
    "\(bytes / (1 << 20) + (bytes % (1 << 20) == 0 ? 0 : 1)) MiB"
}
