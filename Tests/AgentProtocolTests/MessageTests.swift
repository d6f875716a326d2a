import AgentProtocol
import Testing
import TestSupport
import Wire

@Suite("Messages between host and agent")
struct MessageTests {
    /// A frame without its length, which is the right one.
    private func body(_ frame: [UInt8]) throws -> [UInt8] {
        let size = try #require(AgentChannel.size(frame.prefix(AgentChannel.headerSize)))
        #expect(size == frame.count - AgentChannel.headerSize)
        return Array(frame.dropFirst(AgentChannel.headerSize))
    }

    @Test("a request comes back as it was, with its number", arguments: Samples.requests)
    func request(request: AgentRequest) throws {
        let (number, decoded) = try AgentRequest.decode(body(request.frame(77)))
        #expect(number == 77)
        #expect(decoded == request)
    }

    @Test("what the agent says comes back as it was", arguments: Samples.messages)
    func message(message: AgentMessage) throws {
        #expect(try AgentMessage(decoding: body(message.frame)) == message)
    }

    @Test("a message that ends early is refused, wherever that is")
    func truncation() throws {
        for request in Samples.requests {
            let bytes = try body(request.frame(1))
            for count in bytes.indices {
                #expect(throws: WireError.self, "\(request) cut after \(count) bytes") { try AgentRequest.decode(Array(bytes[..<count])) }
            }
        }
        for message in Samples.messages {
            let bytes = try body(message.frame)
            for count in bytes.indices {
                #expect(throws: WireError.self, "\(message) cut after \(count) bytes") { try AgentMessage(decoding: Array(bytes[..<count])) }
            }
        }
    }

    @Test("a message with a byte too many is refused")
    func trailing() throws {
        for request in Samples.requests {
            let bytes = try body(request.frame(1))
            #expect(throws: WireError.trailingBytes(offset: bytes.count)) { try AgentRequest.decode(bytes + [0]) }
        }
        for message in Samples.messages {
            let bytes = try body(message.frame)
            #expect(throws: WireError.trailingBytes(offset: bytes.count)) { try AgentMessage(decoding: bytes + [0]) }
        }
    }

    @Test("changed bits are refused or mean something else, and stop nothing", arguments: [1, 2, 3] as [UInt64])
    func noise(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        for _ in 0..<3000 {
            var bytes = try body(random.pick(Samples.requests).frame(1))
            for _ in 0...random.below(4) { bytes[random.below(bytes.count)] ^= 1 << UInt8(random.below(8)) }
            if let decoded = try? AgentRequest.decode(bytes) {
                // Whatever was understood is a message of its own right.
                #expect(try AgentRequest.decode(body(decoded.request.frame(decoded.number))) == decoded, "seed \(seed)")
            }
            bytes = try body(random.pick(Samples.messages).frame)
            for _ in 0...random.below(4) { bytes[random.below(bytes.count)] ^= 1 << UInt8(random.below(8)) }
            if let decoded = try? AgentMessage(decoding: bytes) {
                #expect(try AgentMessage(decoding: body(decoded.frame)) == decoded, "seed \(seed)")
            }
        }
    }

    @Test("a length of nothing or of more than a frame may have is none", arguments: [
        [0, 0, 0, 0], [1, 0, 0x40, 0], [0xff, 0xff, 0xff, 0xff], [], [1, 0, 0], [1, 0, 0, 0, 0],
    ] as [[UInt8]])
    func badLength(header: [UInt8]) {
        #expect(AgentChannel.size(header) == nil)
    }

    @Test("the longest frame is one")
    func longest() {
        #expect(AgentChannel.size([0, 0, 0x40, 0]) == AgentChannel.maximumFrame)
    }
}
