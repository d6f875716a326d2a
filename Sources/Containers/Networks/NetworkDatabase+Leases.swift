import FoundationEssentials
import GRDB
import Networks

/// What a container has on a network: its own for as long as the container runs, and then remembered as long as nobody else needs it.
struct NetworkLease: Sendable, Equatable {
    var container: String
    /// A network's identifier, or the whole place (`NetworkAttachment.place`) of what is not svmm's own.
    var network: String
    /// The number of the guest's interface.
    var position: Int
    var address4: IPAddress?
    var address6: IPAddress?
    /// Six bytes.
    var mac: [UInt8]
    var isActive: Bool
    /// What it takes to undo what was done for it; empty: nothing.
    var state: String

    var addresses: [IPAddress] { [address4, address6].compactMap { $0 } }
}

extension NetworkDatabase {
    /// Key of the fact that the host may not have what the leases say: set with each change of them, until the host has been told.
    static let stale = "stale"

    /// Gives a container addresses on a network: those that are asked for, else those that it had, else free ones.
    func lease(
        _ attachment: NetworkAttachment, on network: Network, container: String, position: Int, mac: [UInt8]
    ) throws(ContainerError) -> NetworkLease {
        try write { database in
            let others = try Self.leases(database, "network = ? AND container <> ?", [network.identifier, container])
            let own = try Self.leases(database, "network = ? AND container = ?", [network.identifier, container]).first
            let macs = others.filter { $0.isActive && $0.mac == mac }
            guard macs.isEmpty else {
                throw ContainerError.failed("--mac-address \(MACAddress.text(mac)): in use by another container on network \(network.name), expected one of its own")
            }
            func choose(
                _ subnet: NetworkSubnet?, _ asked: IPAddress?, _ old: IPAddress?, _ option: String
            ) throws(ContainerError) -> IPAddress? {
                guard let subnet else {
                    guard let asked else { return nil }
                    throw .invalid("\(option) \(asked): network \(network.name) has no such addresses, expected one of \(network.subnets.map(\.subnet.description).joined(separator: ", "))")
                }
                let taken = Set(others.filter(\.isActive).flatMap(\.addresses))
                if let asked {
                    do throws(NetworkError) {
                        try AddressChoice.given(asked, in: subnet, taken: taken, option: option)
                    } catch {
                        throw .invalid("\(error)")
                    }
                    return asked
                }
                if let old, !taken.contains(old), subnet.isHost(old), old != subnet.gateway { return old }
                let remembered = Set(others.flatMap(\.addresses))
                guard let free = AddressChoice.free(in: subnet, taken: taken, remembered: remembered) else {
                    throw .failed("network \(network.name): no free address in \(subnet.subnet); stop a container, or make a larger network")
                }
                return free
            }
            let lease = NetworkLease(
                container: container, network: network.identifier, position: position,
                address4: try choose(network.version4, attachment.address, own?.address4, "--ip"),
                address6: try choose(network.version6, attachment.address6, own?.address6, "--ip6"), mac: mac, isActive: true, state: "")
            // Whoever remembered one of them has to find another.
            for other in others where !other.isActive && other.addresses.contains(where: lease.addresses.contains) {
                try database.execute(sql: "DELETE FROM lease WHERE container = ? AND network = ?", arguments: [other.container, other.network])
            }
            try Self.put(database, lease)
            return lease
        }
    }

    /// Notes what has to be undone for a container that is not on a network of svmm's own.
    func put(_ lease: NetworkLease) throws(ContainerError) {
        try write { database in try Self.put(database, lease) }
    }

    private static func put(_ database: Database, _ lease: NetworkLease) throws {
        try database.execute(
            sql: "INSERT OR REPLACE INTO lease VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            arguments: [lease.container, lease.network, lease.position, lease.address4?.description, lease.address6?.description,
                        Data(lease.mac), lease.isActive ? 1 : 0, lease.state])
        try setFact(database, stale, "1")
    }

    /// The container does not run any more.
    ///
    /// - Parameter isGone: nor will it: nothing is remembered of it.
    /// - Returns: whether anything was there.
    @discardableResult
    func release(_ container: String, isGone: Bool) throws(ContainerError) -> Bool {
        try write { database in
            let found = try Self.leases(database, "container = ?", [container])
            let isChange = found.contains(where: \.isActive)
            guard isChange || isGone && !found.isEmpty else { return false }
            if isChange { try Self.setFact(database, Self.stale, "1") }
            try database.execute(sql: isGone ? "DELETE FROM lease WHERE container = ?" : "UPDATE lease SET active = 0 WHERE container = ?",
                                 arguments: [container])
            return isChange
        }
    }

    /// A container has no part in networks that are not among these.
    func dropOthers(_ container: String, keeping networks: [String]) throws(ContainerError) {
        try write { database in
            for lease in try Self.leases(database, "container = ?", [container]) where !networks.contains(lease.network) {
                try database.execute(sql: "DELETE FROM lease WHERE container = ? AND network = ?", arguments: [container, lease.network])
            }
        }
    }

    /// Of a container, in the order of its interfaces.
    func leases(of container: String) throws(ContainerError) -> [NetworkLease] {
        try read { try Self.leases($0, "container = ?", [container]) }
    }

    /// Of all containers that run.
    func activeLeases() throws(ContainerError) -> [NetworkLease] {
        try read { try Self.leases($0, "active = 1", []) }
    }

    private static func leases(_ database: Database, _ condition: String, _ arguments: [String]) throws -> [NetworkLease] {
        try Row.fetchAll(database, sql: "SELECT * FROM lease WHERE \(condition) ORDER BY container, position", arguments: StatementArguments(arguments))
            .compactMap(lease)
    }

    private static func lease(_ row: Row) -> NetworkLease? {
        func number(_ column: String) -> Int? { (row[column] as DatabaseValue?).flatMap { Int.fromDatabaseValue($0) } }
        guard let container = text(row, "container"), let network = text(row, "network"), let position = number("position"),
              let active = number("active"), let mac = (row["mac"] as DatabaseValue?).flatMap({ Data.fromDatabaseValue($0) }), mac.count == 6
        else { return nil }
        return NetworkLease(container: container, network: network, position: position, address4: text(row, "address4").flatMap { IPAddress($0) },
                            address6: text(row, "address6").flatMap { IPAddress($0) }, mac: Array(mac), isActive: active != 0,
                            state: text(row, "state") ?? "")
    }
}
