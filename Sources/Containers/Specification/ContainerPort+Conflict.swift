extension ContainerPort {
    /// The first that wants a port of the host that one before it has.
    public static func firstConflict(_ ports: [ContainerPort]) -> ContainerPort? {
        ports.enumerated().first { index, port in ports[..<index].contains { $0.isTaken(by: port) } }?.element
    }

    /// Whether both listen at one port of one address of the host.
    private func isTaken(by other: ContainerPort) -> Bool {
        guard host != 0, (host, transport) == (other.host, other.transport) else { return false }
        guard let address, let otherAddress = other.address else { return true }
        // The unspecified address stands for all of its version.
        let isSameVersion = address.contains(":") == otherAddress.contains(":")
        return address == otherAddress || isSameVersion && [address, otherAddress].contains { ["0.0.0.0", "::"].contains($0) }
    }
}
