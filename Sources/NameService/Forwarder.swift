import LinuxSystem

/// Asks the host's resolvers. On the loop's thread.
final class Forwarder {
    private let loop: EventLoop
    private let deadlines: Deadlines
    private let buffer: ReceiveBuffer
    private let resolvers: ResolverFile
    private let configuration: NameServerConfiguration
    /// By the order in which they came.
    private var exchanges: [UInt64: Exchange] = [:]
    private var counts: [Client: Int] = [:]
    private var nextNumber: UInt64 = 1

    /// One client's question on its way from resolver to resolver.
    private final class Exchange {
        let query: Query
        let transport: Responder.Transport
        let client: Client
        let reply: ([UInt8]) -> Void
        let start = Clock.monotonicNanoseconds()
        /// Those that are still to be asked.
        var resolvers: ArraySlice<InternetAddress>
        var conversation: (any Conversation)?
        var deadline: Deadlines.Identifier?
        /// What the client gets where no better answer comes.
        var fallback: ResolverAnswer?

        init(_ query: Query, _ transport: Responder.Transport, _ client: Client, _ resolvers: [InternetAddress],
             reply: @escaping ([UInt8]) -> Void) {
            (self.query, self.transport, self.client, self.reply) = (query, transport, client, reply)
            self.resolvers = resolvers[...]
        }
    }

    init(_ loop: EventLoop, _ deadlines: Deadlines, _ buffer: ReceiveBuffer, _ configuration: NameServerConfiguration) {
        (self.loop, self.deadlines, self.buffer, self.configuration) = (loop, deadlines, buffer, configuration)
        resolvers = ResolverFile(configuration.resolverFile, excluding: configuration.addresses)
    }

    func close() {
        for exchange in exchanges.values { exchange.conversation?.close() }
        exchanges = [:]
    }

    /// - Parameter reply: called once, now or later, with the answer, which fits the transport.
    func forward(_ query: Query, _ transport: Responder.Transport, for client: Client, reply: @escaping ([UInt8]) -> Void) {
        let count = counts[client, default: 0]
        guard count < configuration.limits.queriesPerClient else { return reply(Reply.make(to: query, .serverFailure)) }
        if exchanges.count >= configuration.limits.queries { giveUpOne() }
        // The C library's own number of rounds (RES_DFLRETRY).
        let order = resolvers.current()
        let exchange = Exchange(query, transport, client, order + order, reply: reply)
        let number = nextNumber
        nextNumber += 1
        exchanges[number] = exchange
        counts[client, default: 0] += 1
        askNext(number, exchange)
    }

    /// Makes room: a client that asks much has the least to expect.
    private func giveUpOne() {
        let most = counts.values.max()
        let oldest = exchanges.filter { counts[$0.value.client] == most }.min { $0.key < $1.key }
        if let oldest { finish(oldest.key, oldest.value, nil) }
    }

    private func askNext(_ number: UInt64, _ exchange: Exchange) {
        stopAsking(exchange)
        while Clock.monotonicNanoseconds() &- exchange.start < configuration.times.query, let resolver = exchange.resolvers.popFirst() {
            if ask(resolver, exchange.transport, number, exchange) { return }
        }
        finish(number, exchange, exchange.fallback)
    }

    /// False where the question cannot even be sent.
    private func ask(_ resolver: InternetAddress, _ transport: Responder.Transport, _ number: UInt64, _ exchange: Exchange) -> Bool {
        let endpoint = InternetEndpoint(resolver, port: configuration.resolverPort)
        let done: ConversationEnd = { [unowned self] in take($0, resolver, transport, number) }
        do throws(Errno) {
            let query = try NumberedQuery(exchange.query)
            switch transport {
            case .datagram: exchange.conversation = try DatagramConversation(loop, endpoint, query, buffer, done: done)
            case .stream: exchange.conversation = try StreamConversation(loop, endpoint, query, buffer, done: done)
            }
        } catch {
            return false
        }
        exchange.deadline = deadlines.add(after: configuration.times.resolver) { [unowned self] in take(nil, resolver, transport, number) }
        return true
    }

    private func take(_ answer: ResolverAnswer?, _ resolver: InternetAddress, _ transport: Responder.Transport, _ number: UInt64) {
        guard let exchange = exchanges[number] else { return }
        guard let answer else {
            // What was cut and could not be had whole is better than what another resolver may cut.
            if let cut = exchange.fallback, cut.isTruncated { return finish(number, exchange, cut) }
            return askNext(number, exchange)
        }
        if answer.isFailure, exchange.fallback?.isTruncated != true {
            exchange.fallback = answer
            // It would say so again.
            exchange.resolvers.removeAll { $0 == resolver }
            return askNext(number, exchange)
        }
        resolvers.prefer(resolver)
        // A resolver may send less in a datagram than the client would take. A client without extensions gets what fits 512 bytes.
        if answer.isTruncated, transport == .datagram, exchange.query.extensions != nil {
            exchange.fallback = answer
            stopAsking(exchange)
            if ask(resolver, .stream, number, exchange) { return }
        }
        let isCutAgain = exchange.transport == .datagram && answer.message.count > exchange.query.datagramLimit
        finish(number, exchange, answer.isFailure || isCutAgain ? exchange.fallback ?? answer : answer)
    }

    private func stopAsking(_ exchange: Exchange) {
        exchange.conversation?.close()
        exchange.conversation = nil
        if let deadline = exchange.deadline { deadlines.cancel(deadline) }
        exchange.deadline = nil
    }

    private func finish(_ number: UInt64, _ exchange: Exchange, _ answer: ResolverAnswer?) {
        stopAsking(exchange)
        exchanges[number] = nil
        let count = counts[exchange.client, default: 0] - 1
        counts[exchange.client] = count > 0 ? count : nil
        let query = exchange.query
        guard let answer else { return exchange.reply(Reply.make(to: query, .serverFailure)) }
        let fits = exchange.transport == .stream || answer.message.count <= query.datagramLimit
        exchange.reply(fits ? answer.message(identifier: query.identifier) : Reply.truncated(query))
    }
}
