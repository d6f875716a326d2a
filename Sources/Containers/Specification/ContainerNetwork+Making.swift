import Networks

extension ContainerNetwork {
    /// What a container is connected to: the user's word, or the host's.
    init(_ request: ContainerRequest, host: HostFacts) throws(ContainerError) {
        var network = if let asked = request.network { asked } else { try host.defaultNetwork(for: request) }
        if case .attached(let attachments) = network, !host.isRoot { network = try Self.withoutRoot(attachments) }
        switch network {
        case .none:
            if let option = Self.onlyOnNetworks(request) ?? (request.macAddress == nil ? nil : "--mac-address") {
                throw .invalid("\(option) with --network none: expected the name of a network")
            }
        case .user:
            if let option = Self.onlyOnNetworks(request) {
                throw .invalid("\(option) with --network user, on which a container is alone and has IPv4 only: expected the name of a network")
            }
        case .attached(let attachments): network = .attached(try Self.attachments(attachments, request))
        }
        self = network
    }

    private static func onlyOnNetworks(_ request: ContainerRequest) -> String? {
        request.address6 != nil ? "--ip6" : request.networkAliases.isEmpty ? nil : "--network-alias"
    }

    /// Who has no rights on the host has the user network under the name of the default one.
    private static func withoutRoot(_ attachments: [NetworkAttachment]) throws(ContainerError) -> ContainerNetwork {
        if attachments == [NetworkAttachment(place: NetworkName.standard)] { return .user }
        let place = attachments.map(\.place).joined(separator: ",")
        throw .invalid("""
            --network \(place): only root may have networks between containers; expected none, or user, on which each container is alone, \
            reaches what you reach, and is reached at published ports
            """)
    }

    private static func attachments(
        _ asked: [NetworkAttachment], _ request: ContainerRequest
    ) throws(ContainerError) -> [NetworkAttachment] {
        var attachments = asked
        guard (1...maximumAttachments).contains(attachments.count) else {
            throw .invalid("--network: given \(attachments.count) times, expected \(maximumAttachments) networks at most")
        }
        for (index, attachment) in attachments.enumerated() where attachments[..<index].contains(where: { $0.place == attachment.place }) {
            throw .invalid("--network \(attachment.place): given twice, expected each network once")
        }
        let options: [(String, Bool)] = [
            ("--ip", request.address != nil), ("--ip6", request.address6 != nil), ("--mac-address", request.macAddress != nil),
            ("--network-alias", !request.networkAliases.isEmpty),
        ]
        if let (option, _) = options.first(where: \.1) {
            guard attachments.count == 1 else {
                throw .invalid("\(option) with several networks: expected it behind the name of one, as in --network NAME:ip=…,ip6=…,mac=…,alias=…")
            }
            if let text = request.address {
                guard let address = IPAddress(text), !address.isVersion6 else { throw .invalid("--ip \(text): expected an IPv4 address") }
                attachments[0].address = address
            }
            if let text = request.address6 {
                guard let address = IPAddress(text), address.isVersion6 else { throw .invalid("--ip6 \(text): expected an IPv6 address") }
                attachments[0].address6 = address
            }
            attachments[0].mac = request.macAddress ?? attachments[0].mac
            attachments[0].aliases += request.networkAliases
        }
        for attachment in attachments { try check(attachment, hasPorts: !request.ports.isEmpty) }
        let isPublishable = attachments.contains { attachment in
            if case .namespace = attachment.kind { false } else { true }
        }
        guard request.ports.isEmpty || isPublishable else {
            throw .invalid("--publish with --network ns:PATH: whoever has made the namespace publishes ports; expected the name of a network")
        }
        return attachments
    }

    private static func check(_ attachment: NetworkAttachment, hasPorts: Bool) throws(ContainerError) {
        let hasWishes = attachment.address != nil || attachment.address6 != nil || attachment.mac != nil || !attachment.aliases.isEmpty
        switch attachment.kind {
        case .network(let name):
            guard NetworkName.isUsable(name) else { throw .invalid("--network '\(name)': expected the name of a network; see svmm network ls") }
        case .namespace(let path):
            guard path.hasPrefix("/") else { throw .invalid("--network ns:\(path): expected an absolute path, such as ns:/run/netns/NAME") }
            if hasWishes { throw .invalid("--network \(attachment.place): the namespace's interfaces have their addresses; expected no others") }
        case .cni(let name):
            guard NetworkName.isUsable(name) else { throw .invalid("--network cni:\(name): expected the name of a network in /etc/cni/net.d") }
            if hasWishes { throw .invalid("--network \(attachment.place): the plugins choose addresses; expected none here") }
        }
        if let mac = attachment.mac, mac.count != 6 || mac[0] & 1 != 0 || mac.allSatisfy({ $0 == 0 }) {
            throw .invalid("--mac-address \(MACAddress.text(mac)): expected one of a single station, whose first byte is even")
        }
    }
}
