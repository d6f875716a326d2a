import CLinux
import Glibc

extension FileDescriptor {
    /// Sends every byte on a stream socket, waiting where it takes no more. A peer that is gone is an error, never a signal. The
    /// corresponding C function is `send` (MSG_NOSIGNAL).
    public func sendAll(_ bytes: UnsafeRawBufferPointer) throws(Errno) {
        var done = 0
        while done < bytes.count {
            done += try retryingInterrupts { Glibc.send(raw, bytes.baseAddress! + done, bytes.count - done, Int32(MSG_NOSIGNAL)) }
        }
    }

    /// Sends what a stream socket takes at once; 0 where that is nothing. The corresponding C function is `send` (MSG_DONTWAIT).
    public func sendWhatFits(_ bytes: UnsafeRawBufferPointer) throws(Errno) -> Int {
        do throws(Errno) {
            return try retryingInterrupts { Glibc.send(raw, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL | MSG_DONTWAIT)) }
        } catch {
            if error == .again { return 0 }
            throw error
        }
    }
}
