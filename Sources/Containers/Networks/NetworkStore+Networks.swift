import LinuxSystem
import Networks

extension NetworkStore {
    /// A network by its name, its identifier or the beginning of that. The two that svmm knows by itself are made when they are missing.
    func find(_ text: String) throws(ContainerError) -> Network {
        let networks = try databaseIfAny()?.networks() ?? []
        if let network = networks.first(where: { $0.name == text }) ?? networks.first(where: { $0.identifier == text }) { return network }
        if text == NetworkName.standard || text == NetworkName.hostOnly {
            var request = NetworkRequest(name: text)
            request.isInternal = text == NetworkName.hostOnly
            request.isVersion6 = host.setting("ipv6/conf/all/disable_ipv6") == "0"
            return try create(request, unlessExisting: true).network
        }
        let found = ContainerIdentifier.isPrefix(text) ? networks.filter { $0.identifier.hasPrefix(text) } : []
        guard found.count <= 1 else {
            throw ContainerError(.notFound, "\(text): several networks have ids that begin so, expected more digits")
        }
        guard let network = found.first else {
            throw ContainerError(.notFound, "\(text): no such network, expected a name or an id; see svmm network ls, or make it with svmm network create")
        }
        return network
    }

    /// Writes a network down; the host hears of it when it is used.
    ///
    /// - Parameter unlessExisting: whether one of that name may be there already; then it stays as it is.
    func create(_ request: NetworkRequest, unlessExisting: Bool) throws(ContainerError) -> (network: Network, isNew: Bool) {
        guard CurrentProcess.user == 0 else {
            throw .failed("network \(request.name): only root may make networks; others have --network user, on which each container is alone")
        }
        // What makes them is missed before anything depends on it.
        let folder = root
        try onFile(folder) { () throws(Errno) in try makeDirectories(folder, permissions: 0o700) }
        return try alone { () throws(ContainerError) in
            let routes = try onNetworks { () throws(NetworkError) in try host.routes() }
            let result = try database().insert(name: request.name) { (others) throws(ContainerError) in
                let random: [UInt8]
                do throws(Errno) { random = try randomBytes(NetworkPlan.randomCount) } catch { throw .failed("no random bytes: \(error)") }
                let plan = NetworkPlan(taken: others.flatMap { $0.subnets.map(\.subnet) }, routes: routes, random: random)
                do throws(NetworkError) {
                    return try plan.network(request, time: Clock.realTimeNanoseconds())
                } catch {
                    throw .invalid("\(error)")
                }
            }
            guard result.isNew || unlessExisting else {
                throw ContainerError(.nameInUse, "network \(request.name): exists already; remove it, choose another name, or give --ignore")
            }
            return result
        }
    }

    /// Removes a network on which no container runs, with the host's interface.
    func remove(_ network: Network) throws(ContainerError) {
        try alone { () throws(ContainerError) in
            let database = try database()
            guard try !database.activeLeases().contains(where: { $0.network == network.identifier }) else {
                throw .wrongState("network \(network.name): containers run on it; stop them first, or remove it with --force")
            }
            // In this order: an interface without a network is nobody's, a network without an interface gets another one.
            try onNetworks { () throws(NetworkError) in try host.remove(network) }
            try removeNames(of: network.identifier)
            try database.delete(name: network.name)
        }
    }

    /// Removes a network whose record is damaged.
    func removeDamaged(_ name: String) throws(ContainerError) {
        try alone { () throws(ContainerError) in
            let database = try database()
            guard let found = try database.names().first(where: { $0.name == name || $0.identifier == name }) else {
                throw ContainerError(.notFound, "\(name): no such network, expected a name or an id; see svmm network ls")
            }
            if ContainerIdentifier.isWhole(found.identifier), NetworkName.isUsable(found.name) {
                try onNetworks { () throws(NetworkError) in try host.remove(identifier: found.identifier, name: found.name) }
                try removeNames(of: found.identifier)
            }
            try database.delete(name: found.name)
        }
    }
}
