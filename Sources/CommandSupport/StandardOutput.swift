import LinuxSystem
import Synchronization

/// Standard output of a command. The first failure is kept: what nobody got is no success.
package enum StandardOutput {
    private static let failure = Mutex<Errno?>(nil)
    private static let number: Int32 = 1
    /// As of a process that SIGPIPE has ended.
    private static let brokenPipeStatus: Int32 = 141

    /// Writes a line, unless something before has failed.
    package static func print(_ line: String) {
        write(Array((line + "\n").utf8))
    }

    /// Writes every byte; false when this, or something before, has failed.
    @discardableResult
    package static func write(_ bytes: [UInt8]) -> Bool {
        failure.withLock { failure in
            if failure == nil { failure = bytes.withUnsafeBytes { error(of: $0) } }
            return failure == nil
        }
    }

    /// Waits where others who share the descriptor have made it non-blocking.
    private static func error(of bytes: UnsafeRawBufferPointer) -> Errno? {
        var done = 0
        while done < bytes.count {
            do throws(Errno) {
                done += try LinuxSystem.write(number, UnsafeRawBufferPointer(rebasing: bytes[done...]))
            } catch {
                guard error == .again, isWritable(number, within: -1) else { return error }
            }
        }
        return nil
    }

    /// How a command ends that has done its work, after saying what of its output was lost.
    ///
    /// - Parameter status: of svmm's own errors.
    package static func end(failing status: Int32) -> Int32 {
        guard let error = failure.withLock({ $0 }) else { return 0 }
        // The reader has gone, and wants no more.
        guard error != .brokenPipe else { return brokenPipeStatus }
        printErrorLine("svmm: standard output: \(error)")
        return status
    }
}
