import LinuxSystem

/// What of the host decides how a container is made.
struct HostFacts: Sendable {
    var processors: Int
    /// Whether passt(1) is installed.
    var hasUserNetwork: Bool
    /// Whether networks of svmm's own can be made.
    var isRoot = false

    static func current() -> HostFacts {
        HostFacts(processors: onlineProcessorCount(), hasUserNetwork: findProgram("passt") != nil, isRoot: CurrentProcess.user == 0)
    }

    func defaultNetwork(for request: ContainerRequest) throws(ContainerError) -> ContainerNetwork {
        if hasUserNetwork { return .user }
        guard request.ports.isEmpty, request.address == nil else {
            throw .invalid("--publish: passt is not installed; install the Debian package passt\(isRoot ? ", or use --network default" : "")")
        }
        return .none
    }
}
