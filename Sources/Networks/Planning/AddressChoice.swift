/// Which address a container gets. Pure.
public enum AddressChoice {
    /// An address that is asked for.
    ///
    /// - Parameter taken: by containers that run.
    public static func given(_ address: IPAddress, in subnet: NetworkSubnet, taken: Set<IPAddress>, option: String) throws(NetworkError) {
        guard subnet.isHost(address) else {
            throw NetworkError("\(option) \(address): expected an address of \(subnet.subnet) that hosts may have")
        }
        guard address != subnet.gateway else {
            throw NetworkError("\(option) \(address): the gateway of \(subnet.subnet), expected another address")
        }
        guard !taken.contains(address) else { throw NetworkError("\(option) \(address): in use by another container that runs, expected a free address") }
    }

    /// The first free address, or nil where there is none.
    ///
    /// - Parameters:
    ///   - taken: by containers that run.
    ///   - remembered: for containers that may run again; theirs are taken where there are no others.
    public static func free(in subnet: NetworkSubnet, taken: Set<IPAddress>, remembered: Set<IPAddress>) -> IPAddress? {
        first(subnet) { !taken.contains($0) && !remembered.contains($0) } ?? first(subnet) { !taken.contains($0) }
    }

    /// Ends soon, however large the subnet is: those that are passed over are few.
    private static func first(_ subnet: NetworkSubnet, _ isFree: (IPAddress) -> Bool) -> IPAddress? {
        let last = subnet.last ?? subnet.subnet.lastHost
        var candidate: IPAddress? = subnet.first ?? subnet.subnet.firstHost
        while let address = candidate, address <= last {
            if address != subnet.gateway, isFree(address) { return address }
            candidate = address.next
        }
        return nil
    }
}
