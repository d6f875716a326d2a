import Containers
import Networks
import Registry

/// A network as `svmm network ls` and `inspect` show it, with podman's names.
extension NetworkSnapshot {
    /// The only one there is.
    static let driver = "bridge"

    func summary(isFull: Bool) -> JSONValue {
        .object([
            "ID": .string(isFull ? network.identifier : String(network.identifier.prefix(12))),
            "Name": .string(network.name),
            "Driver": .string(Self.driver),
            "Interface": .string(network.bridge),
            "Subnets": .array(network.subnets.map { .string($0.subnet.description) }),
            "Internal": .bool(network.isInternal),
            "IPv6": .bool(network.isVersion6),
            "DNS": .bool(network.hasNames),
            "Created": .string(Timestamp.text(network.created)),
            "Labels": .object(network.labels.mapValues { .string($0) }),
        ])
    }

    var details: JSONValue {
        .object([
            "name": .string(network.name),
            "id": .string(network.identifier),
            "driver": .string(Self.driver),
            "network_interface": .string(network.bridge),
            "created": .string(Timestamp.text(network.created)),
            "subnets": .array(network.subnets.map(\.details)),
            "ipv6_enabled": .bool(network.isVersion6),
            "internal": .bool(network.isInternal),
            "dns_enabled": .bool(network.hasNames),
            "labels": .object(network.labels.mapValues { .string($0) }),
            "options": .object(network.mtu.map { ["mtu": .string("\($0)")] } ?? [:]),
            "ipam_options": .object(["driver": .string("host-local")]),
            "containers": .object(Dictionary(endpoints.map { ($0.container, $0.details) }) { first, _ in first }),
        ])
    }
}

extension NetworkSubnet {
    fileprivate var details: JSONValue {
        var members: [String: JSONValue] = ["subnet": .string(subnet.description), "gateway": .string(gateway.description)]
        if let first, let last {
            members["lease_range"] = .object(["start_ip": .string(first.description), "end_ip": .string(last.description)])
        }
        return .object(members)
    }
}

extension NetworkEndpoint {
    fileprivate var details: JSONValue {
        let parts = [(network.version4, address4), (network.version6, address6)]
        let subnets = parts.compactMap { part, address -> JSONValue? in
            guard let part, let address else { return nil }
            return .object(["ipnet": .string("\(address)/\(part.subnet.prefixLength)"), "gateway": .string(part.gateway.description)])
        }
        let interface = JSONValue.object(["subnets": .array(subnets), "mac_address": .string(MACAddress.text(mac))])
        return .object(["name": .string(name), "interfaces": .object(["eth\(position)": interface])])
    }
}
