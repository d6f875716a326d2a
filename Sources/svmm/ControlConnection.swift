import ArgumentParser
import CommandSupport
import LinuxSystem
import MachineProtocol

/// A connection to a running machine's control socket.
final class ControlConnection {
    private let socket: FileDescriptor
    private let machine: String

    /// Machines answer at once; one that has not after this time never will. Seconds.
    private static let patience = 10

    /// - Parameter machine: a name, or a state directory.
    init(to machine: String) throws {
        let path = try Self.asUsage(machine) { () throws(Expected) in try MachineName.runningDirectory(machine) } + "/" + StateFiles.control
        self.machine = machine
        socket = try Self.connect(path, machine)
    }

    private static func connect(_ path: String, _ machine: String) throws -> FileDescriptor {
        do throws(Errno) {
            let socket = try FileDescriptor.connected(toUnixSocket: path, timeout: patience)
            let user = try socket.peerUser()
            // Somebody else's machine could send this user's words, and files, wherever it likes.
            guard user == CurrentProcess.user || user == 0 else { throw .accessDenied }
            return socket
        } catch {
            let reason = error == .noEntry || error == .connectionRefused
                ? "no such virtual machine runs, expected the name or the state directory of one" : "\(error)"
            throw failure("\(machine): \(reason) (\(path))")
        }
    }

    /// Asks, and waits for the answer. Throws what the user is to be told.
    ///
    /// - Parameter takesLong: the machine has work to do before it answers, however long that takes.
    func ask(_ request: ControlRequest, takesLong: Bool = false) throws -> ControlReply {
        do {
            if takesLong { try socket.setTimeout(seconds: 0) }
            let frame = request.frame
            guard frame.withUnsafeBytes({ writeWhatFits(socket.raw, $0) }) == frame.count else { throw Errno.current }
            guard let size = ControlFrame.size(try read(ControlFrame.headerSize)) else { throw Errno.ioError }
            let reply = try ControlReply(decoding: try read(size))
            if case .failed(let reason) = reply { throw Self.failure("\(machine): \(reason)") }
            return reply
        } catch let code as ExitCode {
            throw code
        } catch {
            throw Self.failure("\(machine): the virtual machine gave no answer (\(error)); has it ended, or is it of another version?")
        }
    }

    private func read(_ count: Int) throws(Errno) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var done = 0
        while done < count {
            let raw = socket.raw
            let size = bytes.withUnsafeMutableBytes {
                (try? LinuxSystem.read(raw, into: UnsafeMutableRawBufferPointer(rebasing: $0[done...]))) ?? 0
            }
            guard size > 0 else { throw .ioError }
            done += size
        }
        return bytes
    }

    private static func asUsage<Result>(_ argument: String, _ body: () throws(Expected) -> Result) throws -> Result {
        do throws(Expected) {
            return try body()
        } catch {
            throw ValidationError("'\(argument)': \(error)")
        }
    }

    /// Says why, and gives the status.
    static func failure(_ reason: String) -> ExitCode {
        printErrorLine("svmm: \(reason)")
        return ExitCode(ExitStatus.failure)
    }
}
