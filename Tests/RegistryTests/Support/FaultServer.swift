import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Synchronization

/// A request as it arrived.
struct Received: Sendable {
    var method: HTTPMethod
    var uri: String
    var headers: HTTPHeaders
    var body: [UInt8]

    var path: String { String(uri.prefix { $0 != "?" }) }
    var authorization: String? { headers.first(name: "Authorization") }
    /// The byte from which on the rest is asked for.
    var rangeStart: Int? { headers.first(name: "Range").flatMap { Int($0.dropFirst("bytes=".count).dropLast()) } }
}

/// What a test lets a server answer.
struct Reply: Sendable {
    enum Ending: Sendable {
        /// As HTTP wants it.
        case proper
        /// The connection is closed after the bytes.
        case close
        /// Nothing more comes, and the connection stays.
        case stall
        /// The bytes come again and again.
        case endless
        /// The bytes come one by one, one for each time span.
        case drip(TimeAmount)
    }

    var status = HTTPResponseStatus.ok
    var headers: [(String, String)] = []
    var body: [UInt8] = []
    var ending = Ending.proper
    /// Whether a Content-Length is sent; its value where it is not the body's.
    var length: Int?
    var sendsLength = true

    static func error(_ status: HTTPResponseStatus, _ code: String = "", headers: [(String, String)] = []) -> Reply {
        Reply(status: status, headers: headers, body: Array(#"{"errors":[{"code":"\#(code)","message":"\#(code)"}]}"#.utf8))
    }
}

/// An HTTP server on a port of the loopback that answers as a test says, and remembers what it was asked.
final class FaultServer: Sendable {
    typealias Answer = @Sendable (Received) -> Reply

    let port: Int
    private let channel: any Channel
    private let log: Log

    final class Log: Sendable {
        let requests = Mutex<[Received]>([])
    }

    init(tls: NIOSSLContext? = nil, _ answer: @escaping Answer) async throws {
        let log = Log()
        self.log = log
        channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls { try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls)) }
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(FaultHandler(answer, log))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        port = channel.localAddress?.port ?? 0
    }

    deinit {
        channel.close(promise: nil)
    }

    var host: String { "127.0.0.1:\(port)" }
    var requests: [Received] { log.requests.withLock { $0 } }

    func requests(_ method: HTTPMethod, _ part: String) -> [Received] {
        requests.filter { $0.method == method && (part.isEmpty || $0.uri.contains(part)) }
    }

    func close() async throws {
        try await channel.close()
    }
}

private final class FaultHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let answer: FaultServer.Answer
    private let log: FaultServer.Log
    private var head: HTTPRequestHead?
    private var body: [UInt8] = []

    init(_ answer: @escaping FaultServer.Answer, _ log: FaultServer.Log) {
        self.answer = answer
        self.log = log
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
            body = []
        case .body(let buffer):
            body += buffer.readableBytesView
        case .end:
            guard let head else { return }
            let request = Received(method: head.method, uri: head.uri, headers: head.headers, body: body)
            log.requests.withLock { $0.append(request) }
            send(answer(request), to: request, context)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func send(_ reply: Reply, to request: Received, _ context: ChannelHandlerContext) {
        var head = HTTPResponseHead(version: .http1_1, status: reply.status)
        for (name, value) in reply.headers { head.headers.add(name: name, value: value) }
        if let length = reply.length {
            head.headers.add(name: "Content-Length", value: "\(length)")
        } else if reply.sendsLength, !head.headers.contains(name: "Content-Length") {
            head.headers.add(name: "Content-Length", value: "\(reply.body.count)")
        }
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        let bytes = request.method == .HEAD ? [] : reply.body
        let buffer = ByteBuffer(bytes: bytes)
        switch reply.ending {
        case .proper:
            if buffer.readableBytes > 0 { context.write(wrapOutboundOut(.body(.byteBuffer(buffer))), promise: nil) }
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        case .close:
            let promise = context.eventLoop.makePromise(of: Void.self)
            let channel = context.channel
            promise.futureResult.whenComplete { _ in channel.close(promise: nil) }
            context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(buffer))), promise: promise)
        case .stall:
            context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(buffer))), promise: nil)
        case .endless:
            repeatBody(buffer, context.channel)
        case .drip(let interval):
            context.flush()
            drip(bytes[...], interval, context.channel)
        }
    }

    private func repeatBody(_ buffer: ByteBuffer, _ channel: any Channel) {
        Self.repeatBody(buffer, channel)
    }

    private static func repeatBody(_ buffer: ByteBuffer, _ channel: any Channel) {
        channel.writeAndFlush(HTTPServerResponsePart.body(.byteBuffer(buffer))).whenSuccess { repeatBody(buffer, channel) }
    }

    private func drip(_ bytes: ArraySlice<UInt8>, _ interval: TimeAmount, _ channel: any Channel) {
        Self.drip(bytes, interval, channel)
    }

    private static func drip(_ bytes: ArraySlice<UInt8>, _ interval: TimeAmount, _ channel: any Channel) {
        guard let first = bytes.first else { return }
        channel.writeAndFlush(HTTPServerResponsePart.body(.byteBuffer(ByteBuffer(bytes: [first])))).whenSuccess {
            channel.eventLoop.scheduleTask(in: interval) { drip(bytes.dropFirst(), interval, channel) }
        }
    }
}
