import LinuxSystem

/// What networks want of the host they are on. Calls change the network namespace of the calling thread.
public protocol NetworkHost: Sendable {
    /// Destinations of all routes but the default ones, and of the host's own addresses.
    func routes() throws(NetworkError) -> [Subnet]
    /// nil when there is no interface with this name.
    func link(_ name: String) throws(NetworkError) -> HostLink?
    /// Lines for ip -batch; `what` begins the error's line.
    func ip(_ lines: [String], for what: String) throws(NetworkError)
    /// A script for nft -f, which is done as a whole or not at all.
    func nft(_ script: String, for what: String) throws(NetworkError)
    /// A value below /proc/sys/net; nil where there is none.
    func setting(_ path: String) -> String?
    func set(_ path: String, _ value: String) throws(NetworkError)
    /// Names of the interfaces that have settings of IPv6.
    func version6Interfaces() -> [String]
    /// A new TAP interface, which ends with its file.
    func makeTap() throws(NetworkError) -> HostTap
}

/// An interface of the host's.
public struct HostLink: Sendable, Equatable {
    public var isBridge: Bool
    /// Empty: none.
    public var alias: String

    public init(isBridge: Bool, alias: String) {
        self.isBridge = isBridge
        self.alias = alias
    }
}

/// A TAP interface: see `TapQueue`.
public final class HostTap: Sendable {
    public let name: String
    public let file: FileDescriptor

    public init(name: String, file: consuming FileDescriptor) {
        self.name = name
        self.file = file
    }
}
