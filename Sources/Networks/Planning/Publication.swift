/// A port of the host that leads to a container on a network.
public struct Publication: Sendable, Equatable {
    /// Of the host; nil: all.
    public var address: IPAddress?
    public var port: UInt16
    public var isStream: Bool
    /// Of the container: at most one of each version.
    public var targets: [IPAddress]
    public var targetPort: UInt16

    public init(address: IPAddress? = nil, port: UInt16, isStream: Bool, targets: [IPAddress], targetPort: UInt16) {
        self.address = address
        self.port = port
        self.isStream = isStream
        self.targets = targets
        self.targetPort = targetPort
    }

    /// Where the port is kept from others while the container runs.
    public var boundAddresses: [IPAddress] {
        if let address { return [address] }
        return ["0.0.0.0", "::"].compactMap { IPAddress($0) }.filter { all in targets.contains { $0.isVersion6 == all.isVersion6 } }
    }

    var transport: String { isStream ? "tcp" : "udp" }
}
