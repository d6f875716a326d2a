import MachineProtocol
import Testing
import TestSupport
import Wire

@Suite("Control messages")
struct ControlMessageTests {
    static let share = ShareDescription(path: "/srv/data", tag: "all", name: "data", readOnly: true,
                                        ownership: .squash(user: 1000, group: nil), allowsDevices: true)
    static let requests: [ControlRequest] = [
        .addShare(share), .addShare(ShareDescription(path: "", tag: "", ownership: .mapped)),
        .removeShare(tag: "all", name: "data"), .listShares, .vsock,
        .setMemory(1 << 40), .statistics, .pause, .resume, .snapshot(directory: "/saved", base: nil, stops: false),
        .snapshot(directory: "s", base: "/base", stops: true),
        .setLink(interface: 3, up: false), .setLink(interface: 0, up: true),
    ]
    static let replies: [ControlReply] = [
        .done, .failed("no"), .shares([]), .shares([share, ShareDescription(path: "/", tag: "t", ownership: .passthrough)]),
        .vsock(.unixSocket("/run/svmm/a/vsock.sock")), .vsock(.contextID(4_294_967_294)),
        .statistics(MachineStatistics()), .statistics(statistics),
    ]
    static let statistics: MachineStatistics = {
        var statistics = MachineStatistics()
        statistics.add("memory", 1 << 36)
        statistics.add("missing", nil)
        statistics.add("zero", 0)
        return statistics
    }()

    @Test("figures are found by name, and those without a value are none")
    func figures() {
        #expect(Self.statistics["memory"] == 1 << 36 && Self.statistics["zero"] == 0 && Self.statistics["missing"] == nil)
        #expect(Self.statistics.figures.map(\.name) == ["memory", "zero"])
    }

    @Test("a request comes back as it was, behind its length", arguments: requests)
    func request(request: ControlRequest) throws {
        let frame = request.frame
        #expect(ControlFrame.size(frame.prefix(4)) == frame.count - 4)
        #expect(try ControlRequest(decoding: Array(frame.dropFirst(4))) == request)
    }

    @Test("a reply comes back as it was, behind its length", arguments: replies)
    func reply(reply: ControlReply) throws {
        let frame = reply.frame
        #expect(ControlFrame.size(frame.prefix(4)) == frame.count - 4)
        #expect(try ControlReply(decoding: Array(frame.dropFirst(4))) == reply)
    }

    @Test("what is cut short, of another version or followed by more is refused", arguments: requests)
    func damaged(request: ControlRequest) {
        let message = Array(request.frame.dropFirst(4))
        for count in message.indices {
            #expect(throws: WireError.self) { try ControlRequest(decoding: Array(message[..<count])) }
        }
        #expect(throws: WireError.self) { try ControlRequest(decoding: message + [0]) }
        #expect(throws: WireError.self) { try ControlRequest(decoding: [message[0] &+ 1] + message[1...]) }
    }

    @Test("lengths of nothing, of more than a message may have, and half of one are none", arguments: [
        [0, 0, 0, 0], [1, 0, 16, 0], [0, 0, 0, 128], [255, 255, 255, 255], [1, 0, 0], [],
    ] as [[UInt8]])
    func sizes(header: [UInt8]) {
        #expect(ControlFrame.size(header) == nil)
    }

    @Test("random bytes give a message or an error, never a crash")
    func random() {
        var random = SplitMix64(seed: 11)
        for _ in 0..<5000 {
            let bytes = [1, 0, 0, 0, UInt8(random.below(24))] + random.bytes(random.below(64))
            _ = try? ControlRequest(decoding: bytes)
            _ = try? ControlReply(decoding: bytes)
        }
    }

    @Test("a forwarded port's name has eight hexadecimal digits", arguments: [
        (2374, "guest.00000946"), (0, "guest.00000000"), (.max - 1, "guest.fffffffe"),
    ] as [(UInt32, String)])
    func forwardedPort(port: UInt32, name: String) {
        #expect(StateFiles.forwardedPort(port) == name)
    }
}
