import Containers
import Networks
import Registry

/// A container's networks as podman and Docker show them.
extension ContainerSnapshot {
    var networkSettings: JSONValue {
        let configuration = record.configuration
        guard case .attached(let attachments) = configuration.network else {
            let address = JSONValue.string(configuration.address ?? "")
            return .object([
                "IPAddress": address, "Ports": ports, "Networks": .object([configuration.network.text: .object(["IPAddress": address])]),
            ])
        }
        var networks: [String: JSONValue] = [:]
        for attachment in attachments { networks[attachment.place] = .object([:]) }
        for endpoint in self.networks { networks[endpoint.network.name] = .object(endpoint.members(isRunning: isRunning)) }
        var members: [String: JSONValue] = ["Ports": ports, "Networks": .object(networks)]
        // Of the first one, for who asks as for Docker's only one.
        if let first = self.networks.first { members.merge(first.addresses(isRunning: isRunning)) { own, _ in own } }
        return .object(members)
    }
}

extension NetworkEndpoint {
    fileprivate func addresses(isRunning: Bool) -> [String: JSONValue] {
        func address(_ address: IPAddress?) -> JSONValue { .string(isActive && isRunning ? address?.description ?? "" : "") }
        func length(_ subnet: NetworkSubnet?) -> JSONValue { .integer(Int64(isActive && isRunning ? subnet?.subnet.prefixLength ?? 0 : 0)) }
        return [
            "IPAddress": address(address4), "IPPrefixLen": length(network.version4), "Gateway": address(network.version4?.gateway),
            "GlobalIPv6Address": address(address6), "GlobalIPv6PrefixLen": length(network.version6), "IPv6Gateway": address(network.version6?.gateway),
            "MacAddress": .string(MACAddress.text(mac)),
        ]
    }

    fileprivate func members(isRunning: Bool) -> [String: JSONValue] {
        addresses(isRunning: isRunning).merging([
            "NetworkID": .string(network.identifier), "EndpointID": .string(""), "Aliases": .array(aliases.map { .string($0) }),
        ]) { own, _ in own }
    }
}
