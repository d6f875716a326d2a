import GuestMemory
import LinuxSystem

/// A kernel file, opened and understood.
public struct KernelFile: ~Copyable {
    public let plan: KernelPlan
    private let file: FileDescriptor

    /// How much of a file is looked at to tell what it is: setup headers and program headers lie within.
    private static let prefixSize = 64 << 10
    /// Notes of a kernel take a few hundred bytes.
    private static let noteLimit: UInt64 = 64 << 10

    /// Reads the headers and plans the load. Nothing else of the file is read yet.
    public init(_ file: consuming FileDescriptor, choice: EntryChoice = .automatic) throws(BootError) {
        plan = try Self.plan(file, choice)
        self.file = file
    }

    private static func plan(_ file: borrowing FileDescriptor, _ choice: EntryChoice) throws(BootError) -> KernelPlan {
        do {
            let status = try file.status()
            guard status.kind == .regular else { throw BootError.notAKernel(found: "not a regular file") }
            let prefix = ByteReader(try file.prefix(Int(min(status.size, UInt64(prefixSize)))))
            if prefix.starts(with: ELFKernel.magic) {
                let elf = try ELFKernel(prefix, fileSize: status.size)
                var notes = KernelNotes()
                for header in elf.notes { notes.read(try Self.read(file, header)) }
                return try KernelPlan(elf: elf, notes: notes, choice: choice)
            }
            if SetupHeader.isPresent(in: prefix) {
                if choice == .pvh { throw BootError.invalidHeader("a bzImage has no PVH entry; use the vmlinux") }
                return try KernelPlan(bzImage: prefix, fileSize: status.size)
            }
            throw Self.unknown(prefix)
        } catch let error as Errno {
            throw .file(error)
        } catch let error as BootError {
            throw error
        } catch {
            throw .notAKernel(found: "\(error)")
        }
    }

    private static func read(_ file: borrowing FileDescriptor, _ header: ELFKernel.ProgramHeader) throws(Errno) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Int(min(header.fileCount, noteLimit)))
        let offset = header.fileOffset
        var result: Result<Int, Errno> = .success(0)
        bytes.withUnsafeMutableBytes { buffer in
            do throws(Errno) {
                result = .success(try file.read(into: buffer, at: offset))
            } catch {
                result = .failure(error)
            }
        }
        return Array(bytes.prefix(try result.get()))
    }

    /// Says what else the file could be.
    private static func unknown(_ prefix: ByteReader) -> BootError {
        if prefix.bytes.isEmpty { return .notAKernel(found: "an empty file") }
        if prefix.starts(with: Array("ARM".utf8) + [0x64], at: 56) { return .otherMachine(found: "arm64 (Image)") }
        if prefix.starts(with: Array("RSC".utf8) + [5], at: 56) { return .otherMachine(found: "RISC-V (Image)") }
        if prefix.starts(with: [0x1F, 0x8B]) { return .notAKernel(found: "a gzip file (unpack it first)") }
        if prefix.starts(with: [0x28, 0xB5, 0x2F, 0xFD]) { return .notAKernel(found: "a zstd file (unpack it first)") }
        if prefix.starts(with: [0xFD] + Array("7zXZ".utf8)) { return .notAKernel(found: "an xz file (unpack it first)") }
        return .notAKernel(found: "no kernel header")
    }

    /// Copies the kernel into guest memory, which is fresh: zero where the file does not fill it.
    func load(into memory: GuestMemory) throws(BootError) {
        for segment in plan.segments {
            do throws(GuestMemoryError) {
                try memory.load(file, offset: segment.fileOffset, count: segment.fileCount, at: segment.address)
            } catch {
                throw .memory(error)
            }
        }
    }
}
