import CLinux
import Glibc

/// Puts bytes in place of what a file has, all at once: who opens it sees the old or the new contents, also after a crash. The
/// file gets these permissions, whatever the process's mask is and whatever it had. The corresponding C functions are `open`
/// (O_EXCL), `fchmod`, `fsync` and `rename`.
public func replaceFile(_ path: String, with bytes: [UInt8], permissions: UInt32) throws(Errno) {
    let temporary = "\(path).\(getpid())-\(UInt32.random(in: 0 ... .max))"
    let file = try FileDescriptor.open(temporary, [.writeOnly, .create, .exclusive], permissions: permissions)
    do throws(Errno) {
        _ = try once { fchmod(file.raw, permissions) }
        let result = bytes.withUnsafeBytes { bytes -> Result<Void, Errno> in
            do throws(Errno) {
                return .success(try file.writeAll(bytes))
            } catch {
                return .failure(error)
            }
        }
        try result.get()
        _ = try retryingInterrupts { fsync(file.raw) }
        try renameFile(temporary, to: path)
    } catch {
        _ = unlink(temporary)
        throw error
    }
}
