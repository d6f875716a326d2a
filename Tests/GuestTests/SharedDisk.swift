import Glibc
import LinuxSystem
import ProcessSupport
import Testing
import TestSupport

/// A file system of its own for shares: one that keeps every attribute and time, as /tmp need not.
final class SharedDisk {
    private let directory = TemporaryDirectory()
    let path: String
    /// The host's root without what is mounted in it: of /proc there is but the empty directory, and nothing of it is shared.
    let root: String

    init() throws {
        path = directory.makeDirectory("mounted")
        root = directory.makeDirectory("root")
        let image = try directory.sparseFile("image", size: 3 << 30)
        // Where it is lower, a guest that opens many files meets that.
        var limit = rlimit(rlim_cur: 65536, rlim_max: 65536)
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        try Self.run("mkfs.ext4 -q -N 200000 \(image) && mount -o loop \(image) \(path) && mount --bind / \(root)")
    }

    deinit {
        umount2(path, Int32(MNT_DETACH))
        umount2(root, Int32(MNT_DETACH))
    }

    /// A directory in it, made if it is missing.
    func makeDirectory(_ name: String) -> String {
        mkdir("\(path)/\(name)", 0o755)
        return "\(path)/\(name)"
    }

    /// Makes a shell script in the directory.
    func script(_ name: String, _ text: String) throws {
        let file = try FileDescriptor.open("\(path)/\(name)", [.writeOnly, .create, .truncate], permissions: 0o755)
        try ("set -e\n" + text).utf8.withContiguousStorageIfAvailable { bytes in
            try file.writeAll(UnsafeRawBufferPointer(bytes))
        }
    }

    /// Runs a command of the host; returns what it prints.
    @discardableResult
    static func run(_ command: String, sourceLocation: SourceLocation = #_sourceLocation) throws -> String {
        let process = try ChildProcess(["/bin/sh", "-c", command])
        let end = try process.waitForEnd()
        let errors = String(decoding: try process.errors.waitForEnd(), as: UTF8.self)
        try #require(end == .exited(0), "\(command): \(errors)", sourceLocation: sourceLocation)
        return String(decoding: try process.output.waitForEnd(), as: UTF8.self)
    }
}

extension Guest {
    /// Runs a program in a guest, which says its exit status.
    static func running(
        _ program: String, kernel: Kernel = .vmlinux, words: String, _ options: [String],
        input: ChildProcess.Input = .nothing
    ) throws -> Guest {
        try Guest("exec", kernel: kernel, words: "test.exec=\(program) \(words)", options, input: input)
    }

    /// Runs a script of the disk in a guest that has the host's programs: its root is the host's, read-only, and
    /// /mnt is the directory, writable.
    static func script(
        _ name: String, in disk: SharedDisk, words: String = "", _ options: [String] = [],
        input: ChildProcess.Input = .nothing
    ) throws -> Guest {
        try running("/bin/sh,/mnt/\(name)",
                    words: "test.share=root:/root test.share=data:/data:posixacl test.chroot=/root test.bind=/data \(words)",
                    ["--memory", "1G", "--share", "\(disk.root):root,ro", "--share", "\(disk.path):data"] + options, input: input)
    }
}

extension Finished {
    /// What the program printed.
    var printed: [String] { facts["|"] }

    func expectProgram(status: String = "0", sourceLocation: SourceLocation = #_sourceLocation) {
        expect(ok: ["exec"], sourceLocation: sourceLocation)
        #expect(facts["exit"] == [status], "\(printed.suffix(40).joined(separator: "\n"))", sourceLocation: sourceLocation)
    }
}
