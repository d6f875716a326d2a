@testable import Boot
import GuestMemory
import LinuxSystem
import TestSupport
import Testing

/// The plan for a kernel file of these bytes.
func plan(_ bytes: [UInt8], _ choice: EntryChoice = .automatic) throws(BootError) -> KernelPlan {
    guard let file = try? anonymousFile(bytes) else { throw .file(.current) }
    return try KernelFile(file, choice: choice).plan
}

/// What planning these bytes throws, or nil.
func planError(_ bytes: [UInt8], _ choice: EntryChoice = .automatic) -> BootError? {
    do throws(BootError) {
        _ = try plan(bytes, choice)
        return nil
    } catch {
        return error
    }
}

extension BootError {
    var isTruncated: Bool { if case .truncated = self { true } else { false } }
    var isInvalidHeader: Bool { if case .invalidHeader = self { true } else { false } }
    var isOtherMachine: Bool { if case .otherMachine = self { true } else { false } }
    var isNotAKernel: Bool { if case .notAKernel = self { true } else { false } }
}

func layout(_ size: UInt64) throws -> RAMLayout { try #require(RAMLayout(size: size)) }
