import LinuxSystem

/// Ports of the host for `--publish` without one.
enum FreePorts {
    /// Chooses a free port of the host for each that has none. Somebody else may take it before the container is started; then that fails.
    static func fill(_ ports: inout [ContainerPort]) throws(ContainerError) {
        for index in ports.indices where ports[index].host == 0 {
            let (address, isStream) = (ports[index].address ?? "0.0.0.0", ports[index].transport == .tcp)
            guard let bytes = InternetAddress.version4(address) else {
                throw .invalid("--publish [\(address)]::\(ports[index].container): expected a port of the host; only with an IPv4 address is one chosen")
            }
            do throws(Errno) {
                ports[index].host = try freePort(address: bytes, isStream: isStream)
            } catch {
                throw .failed("--publish \(ports[index].container): no free port of the host at \(address): \(error)")
            }
        }
    }
}
