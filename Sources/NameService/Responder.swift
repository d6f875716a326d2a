import LinuxSystem

/// What becomes of a question: pure, of the names that are known.
public struct Responder: Sendable {
    /// How a question came, and how its answer goes.
    public enum Transport: Sendable {
        case datagram, stream
    }

    public enum Decision: Sendable {
        /// It is none.
        case ignore
        case answer([UInt8])
        /// Others know.
        case forward(Query)
    }

    public var table = NameTable()
    /// Whose part before this may be asked for as well as the whole.
    private let domain: DomainName
    /// Whether anybody else is asked.
    private let forwards: Bool

    public init(domain: DomainName, forwards: Bool) {
        (self.domain, self.forwards) = (domain, forwards)
    }

    public func decide(_ message: [UInt8], _ transport: Transport) -> Decision {
        func refusal(_ code: ResponseCode) -> Decision { Reply.refusal(of: message, code).map { .answer($0) } ?? .ignore }
        var reader = MessageReader(message)
        guard let header = try? MessageHeader(&reader), !header.flags.contains(.response) else { return .ignore }
        guard header.flags.isDisjoint(with: .operation) else { return refusal(.notImplemented) }
        guard let query = try? Query(message) else { return refusal(.formatError) }
        if let version = query.extensions?.version, version > 0 { return .answer(Reply.make(to: query, .badVersion)) }
        // An answer of several messages, such as a zone is, is not for containers.
        guard query.question.recordClass == Question.internetClass, ![.axfr, .ixfr, .opt].contains(query.question.type) else {
            return .answer(Reply.make(to: query, .refused))
        }
        let limit = transport == .stream ? Int(UInt16.max) : min(query.datagramLimit, Reply.payloadSize)
        switch find(query.question) {
        case .records(let records):
            // Those who take the first of several addresses do not all take the same.
            let start = records.isEmpty ? 0 : Int(query.identifier) % records.count
            let rotated = Array(records[start...] + records[..<start])
            return .answer(Reply.make(to: query, .noError, rotated, isAuthoritative: true, limit: limit))
        case .noName: return .answer(Reply.make(to: query, .nameError, isAuthoritative: true))
        case .elsewhere: return forwards ? .forward(query) : .answer(Reply.make(to: query, .nameError))
        }
    }

    private enum Found {
        /// The name is known; of the kind that was asked for there may be no record.
        case records([RecordData])
        case noName
        case elsewhere
    }

    private func find(_ question: Question) -> Found {
        if let addresses = table.addresses(of: question.name) { return .records(records(addresses, question.type)) }
        if let name = question.name.relative(to: domain) {
            if name.labelCount == 0 { return .records([]) }
            return table.addresses(of: name).map { .records(records($0, question.type)) } ?? .noName
        }
        if let address = question.name.reverseAddress, let names = table.names(of: address) {
            guard question.type == .ptr || question.type == .any else { return .records([]) }
            return .records(names.compactMap { $0.below(domain) }.map { .name($0) })
        }
        // A name without a dot is a container's, which somebody outside should not even hear of. Only the top of a zone, which top-level
        // domains are, has the records that are asked for by those who check signatures.
        let ofZones: [RecordType] = [.ns, .soa, .ds, .dnskey]
        return question.name.labelCount == 1 && !ofZones.contains(question.type) ? .noName : .elsewhere
    }

    private func records(_ addresses: [InternetAddress], _ type: RecordType) -> [RecordData] {
        addresses.filter { type == .any || type == ($0.family == .v4 ? .a : .aaaa) }.map { .address($0) }
    }
}
