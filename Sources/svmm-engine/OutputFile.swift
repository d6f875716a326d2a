import Containers
import LinuxSystem

/// A file that a command writes as a whole: what had its name stays until all of it is there. Devices and pipes are written to as they are.
final class OutputFile: Sendable {
    private let path: String
    private let file: FileDescriptor
    /// The file's name until it is complete, and after that; nil: what is there is no file to be replaced.
    private let names: (temporary: String, final: String)?

    init(_ path: String) throws(ContainerError) {
        self.path = path
        do throws(Errno) {
            if let status = try? fileStatus(at: path), status.kind != .regular {
                names = nil
                file = try FileDescriptor.open(path, .writeOnly)
            } else {
                let final = Self.target(of: path)
                let temporary = "\(final).\(CurrentProcess.identifier)-\(UInt32.random(in: 0 ... .max))"
                names = (temporary, final)
                file = try FileDescriptor.open(temporary, [.writeOnly, .create, .exclusive], permissions: 0o644)
                if let old = try? fileAttributes(at: final) { try? file.setPermissions(old.mode & 0o777) }
            }
        } catch {
            throw ContainerError(.failed, "\(path): \(error)")
        }
    }

    /// Where symbolic links lead, of which the last may lead nowhere.
    private static func target(of path: String) -> String {
        var path = path
        // As many as the kernel follows.
        for _ in 0..<40 {
            guard let link = try? FileDescriptor.open(path, [.pathOnly, .noFollow]), let bytes = try? link.linkTarget(),
                  !bytes.isEmpty else { break }
            let target = String(decoding: bytes, as: UTF8.self)
            let directory = path.lastIndex(of: "/").map { path[...$0] } ?? ""
            path = target.hasPrefix("/") ? target : directory + target
        }
        return path
    }

    func write(_ bytes: [UInt8]) throws(ContainerError) {
        guard bytes.withUnsafeBytes({ writeWhatFits(file.raw, $0) }) == bytes.count else {
            throw ContainerError(.failed, "\(path): \(Errno.current)")
        }
    }

    /// Gives the file its name.
    func finish() throws(ContainerError) {
        guard let names else { return }
        do throws(Errno) {
            try renameFile(names.temporary, to: names.final)
        } catch {
            throw ContainerError(.failed, "\(path): \(error)")
        }
    }

    /// Removes what is not complete.
    func discard() {
        if let names { try? removeFile(names.temporary) }
    }
}
