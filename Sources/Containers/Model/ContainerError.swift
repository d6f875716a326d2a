import LinuxSystem

/// Why something could not be done with a container: one line for the user, and the exit status that fits.
public struct ContainerError: Error, Equatable, Sendable, CustomStringConvertible {
    public enum Kind: Equatable, Sendable {
        /// The store, the monitor, or the host refuses (exit status 125).
        case failed
        /// A value that was given is not usable (125).
        case invalid
        /// There is no such container, or more than one (125).
        case notFound
        /// The name belongs to another container (125).
        case nameInUse
        /// The container's state does not allow it (125).
        case wrongState
        /// The program in the container cannot be executed (126).
        case commandNotExecutable
        /// There is no such program in the container (127).
        case commandNotFound
    }

    public let kind: Kind
    public let description: String
    /// What svmm exits with, as podman and Docker do.
    public let exitStatus: Int32

    public init(_ kind: Kind, _ text: String) {
        self.kind = kind
        description = text
        exitStatus = switch kind {
        case .commandNotExecutable: 126
        case .commandNotFound: 127
        default: 125
        }
    }

    /// From the monitor's answer.
    init(status: UInt8, _ text: String) {
        kind = status == 127 ? .commandNotFound : status == 126 ? .commandNotExecutable : .failed
        description = text
        exitStatus = Int32(status)
    }

    static func invalid(_ text: String) -> ContainerError { ContainerError(.invalid, text) }
    static func failed(_ text: String) -> ContainerError { ContainerError(.failed, text) }
    static func wrongState(_ text: String) -> ContainerError { ContainerError(.wrongState, text) }

    static func file(_ path: String, _ error: Errno) -> ContainerError {
        error == .noSpace
            ? failed("\(path): no space left on the file system; free some, or put the store elsewhere with --root")
            : failed("\(path): \(error)")
    }

    static func notFound(_ name: String) -> ContainerError {
        ContainerError(.notFound, "\(name): no such container, expected a name, an id or its beginning; see svmm container ls -a")
    }
}

/// Runs a system call's wrapper; its error names the path.
func onFile<Result: ~Copyable>(_ path: String, _ body: () throws(Errno) -> Result) throws(ContainerError) -> Result {
    do throws(Errno) {
        return try body()
    } catch {
        throw .file(path, error)
    }
}
