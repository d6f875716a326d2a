import CLinux
import Glibc

extension FileDescriptor {
    /// Writes every byte. The corresponding C function is `write`.
    public func writeAll(_ bytes: UnsafeRawBufferPointer) throws(Errno) {
        try LinuxSystem.writeAll(raw, bytes)
    }

    /// Makes written data durable. The corresponding C function is `fdatasync`.
    public func synchronizeData() throws(Errno) {
        _ = try retryingInterrupts { fdatasync(raw) }
    }
}

/// Writes up to `bytes.count` bytes and returns how many were taken. The corresponding C function is `write`.
public func write(_ raw: Int32, _ bytes: UnsafeRawBufferPointer) throws(Errno) -> Int {
    try retryingInterrupts { Glibc.write(raw, bytes.baseAddress, bytes.count) }
}

/// Writes every byte to a blocking descriptor that somebody else owns. The corresponding C function is `write`.
public func writeAll(_ raw: Int32, _ bytes: UnsafeRawBufferPointer) throws(Errno) {
    var done = 0
    while done < bytes.count {
        done += try write(raw, UnsafeRawBufferPointer(rebasing: bytes[done...]))
    }
}

/// Writes every byte, waiting where a descriptor that others share is non-blocking; returns fewer only when it fails. The C
/// function is `write`.
public func writeWhatFits(_ raw: Int32, _ bytes: UnsafeRawBufferPointer) -> Int {
    var done = 0
    while done < bytes.count {
        do throws(Errno) {
            done += try write(raw, UnsafeRawBufferPointer(rebasing: bytes[done...]))
        } catch {
            guard error == .again, isWritable(raw, within: -1) else { break }
        }
    }
    return done
}

/// Writes a line to standard output; failures are dropped, as there is nobody left to tell.
public func printLine(_ line: String) {
    writeLine(line, to: STDOUT_FILENO)
}

/// Writes a line to standard error; failures are dropped, as there is nobody left to tell. A pipe that nobody empties gets
/// a tenth of a second, so that no reader can hold up the monitor.
public func printErrorLine(_ line: String) {
    guard isWritable(STDERR_FILENO, within: 100) else { return }
    writeLine(line, to: STDERR_FILENO)
}

private func writeLine(_ line: String, to raw: Int32) {
    var line = line + "\n"
    line.withUTF8 { try? writeAll(raw, UnsafeRawBufferPointer($0)) }
}

extension FileDescriptor {
    /// Makes the file this long. The corresponding C function is `ftruncate`.
    public func truncate(to size: UInt64) throws(Errno) {
        _ = try retryingInterrupts { ftruncate(raw, off_t(clamping: size)) }
    }
}

/// Removes a name from the file system. The corresponding C function is `unlink`.
public func removeFile(_ path: String) throws(Errno) {
    _ = try once { unlink(path) }
}
