import LinuxSystem

/// Why the host side of a socket device could not be made.
public struct VsockListenerError: Error, CustomStringConvertible, Sendable {
    public let path: String
    public let description: String
}

/// The host side of a socket device: sockets that are bound when this is made, before the machine starts, and whose names are
/// removed when it goes. Machines that follow one another can share it.
public final class VsockListeners: Sendable {
    /// A unix socket each of whose connections goes to one port of the guest.
    public struct DirectPort: Sendable {
        public let path: String
        public let guestPort: UInt32

        public init(path: String, guestPort: UInt32) {
            self.path = path
            self.guestPort = guestPort
        }
    }

    /// One listening socket.
    final class Entry: Sendable {
        let listener: UnixListener
        /// nil for the socket whose clients name the port themselves.
        let guestPort: UInt32?

        init(_ listener: consuming UnixListener, guestPort: UInt32?) {
            self.listener = listener
            self.guestPort = guestPort
        }
    }

    let entries: [Entry]
    /// What the guest's connections to port P go to, with `_P` behind it; nil when there is none.
    public let connectPath: String?

    /// Connections that may wait until the device's thread takes them.
    private static let backlog: Int32 = 1024
    /// An underscore and ten digits follow the path of the CONNECT socket.
    private static let suffixLength = 11

    /// - Parameters:
    ///   - connectPath: the socket for `CONNECT <port>`, and the beginning of the names of the sockets that the guest's
    ///     connections go to; nil for neither.
    ///   - directPorts: sockets for one port each.
    public init(connectPath: String?, directPorts: [DirectPort] = []) throws(VsockListenerError) {
        var entries: [Entry] = []
        if let connectPath {
            let longest = UnixListener.maximumPathLength - Self.suffixLength
            guard connectPath.utf8.count <= longest else {
                throw VsockListenerError(path: connectPath, description:
                    "\(connectPath): the path has \(connectPath.utf8.count) bytes; expected at most \(longest), so that a port fits behind it")
            }
            entries.append(try Self.listen(connectPath, guestPort: nil))
        }
        for direct in directPorts { entries.append(try Self.listen(direct.path, guestPort: direct.guestPort)) }
        self.entries = entries
        self.connectPath = connectPath
    }

    private static func listen(_ path: String, guestPort: UInt32?) throws(VsockListenerError) -> Entry {
        do throws(Errno) {
            let listener = try UnixListener(path: path, backlog: backlog)
            try listener.setNonBlocking()
            return Entry(listener, guestPort: guestPort)
        } catch {
            let hint = switch error {
            case .addressInUse: "the path exists and is in use; remove it or choose another"
            case .nameTooLong: "expected a path of 1 to \(UnixListener.maximumPathLength) bytes"
            default: "\(error)"
            }
            throw VsockListenerError(path: path, description: "\(path): \(hint)")
        }
    }

    /// Removes the sockets' names.
    public func removeNames() {
        for entry in entries { entry.listener.removeName() }
    }
}
