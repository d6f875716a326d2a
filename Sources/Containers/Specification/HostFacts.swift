import LinuxSystem

/// What of the host decides how a container is made.
struct HostFacts: Sendable {
    var processors: Int
    /// Whether passt(1) is installed.
    var hasUserNetwork: Bool

    static func current() -> HostFacts {
        HostFacts(processors: onlineProcessorCount(), hasUserNetwork: findProgram("passt") != nil)
    }

    func defaultNetwork(for request: ContainerRequest) throws(ContainerError) -> ContainerNetwork {
        if hasUserNetwork { return .user }
        guard request.ports.isEmpty, request.address == nil else {
            throw .invalid("--publish: passt is not installed; install the Debian package passt")
        }
        return .none
    }
}
