import AgentCore
import Testing
import TestSupport

@Suite("Requests to the kernel's network")
struct NetlinkTests {
    /// Attributes by their types, and what is wrong with the message's shape.
    private func attributes(_ message: [UInt8], after header: Int) throws -> [UInt16: [UInt8]] {
        try #require(message.get(UInt32.self, at: 0) == UInt32(message.count))
        #expect(message.get(UInt16.self, at: 6) & 5 == 5, "a request that is acknowledged")
        var found: [UInt16: [UInt8]] = [:]
        var offset = 16 + header
        while offset < message.count {
            let length = Int(message.get(UInt16.self, at: offset))
            try #require(length >= 4 && offset + length <= message.count)
            found[message.get(UInt16.self, at: offset + 2)] = Array(message[(offset + 4)..<(offset + length)])
            offset += (length + 3) & ~3
        }
        #expect(offset == message.count)
        return found
    }

    @Test("a link gets a name, a size and is set up")
    func link() throws {
        let message = NetlinkMessage.link(3, name: Array("eth10".utf8), mtu: 1400, isUp: true, sequence: 9)
        let found = try attributes(message, after: 16)
        #expect(message.get(UInt16.self, at: 4) == 16)
        #expect(message.get(UInt32.self, at: 8) == 9)
        #expect(message.get(UInt32.self, at: 20) == 3)
        #expect(message.get(UInt32.self, at: 24) == 1)
        #expect(message.get(UInt32.self, at: 28) == 1)
        #expect(found == [3: Array("eth10\0".utf8), 4: [120, 5, 0, 0]])
    }

    @Test("what is not asked for stays as it is")
    func unchangedLink() throws {
        let message = NetlinkMessage.link(3, sequence: 9)
        #expect(try attributes(message, after: 16).isEmpty)
        #expect(message.get(UInt32.self, at: 28) == 0)
    }

    @Test("an IPv4 address comes with its broadcast address")
    func address() throws {
        let message = try #require(NetlinkMessage.address([10, 0, 2, 15], prefixLength: 20, link: 3, sequence: 1))
        #expect(message[16..<20].elementsEqual([2, 20, 2, 0]))
        #expect(try attributes(message, after: 8) == [1: [10, 0, 2, 15], 2: [10, 0, 2, 15], 4: [10, 0, 15, 255]])
        let single = try #require(NetlinkMessage.address([10, 0, 2, 15], prefixLength: 32, link: 3, sequence: 1))
        #expect(try attributes(single, after: 8)[4] == nil)
    }

    @Test("an IPv6 address is used at once, without asking for others who have it")
    func longAddress() throws {
        let bytes: [UInt8] = [0xfd] + Array(repeating: 0, count: 14) + [1]
        let message = try #require(NetlinkMessage.address(bytes, prefixLength: 64, link: 3, sequence: 1))
        #expect(message[16..<20].elementsEqual([10, 64, 2, 0]))
        #expect(try attributes(message, after: 8) == [1: bytes, 2: bytes])
    }

    @Test("a default route leads over the next hop")
    func route() throws {
        let message = try #require(NetlinkMessage.defaultRoute([10, 0, 2, 2], link: 3, metric: 101, sequence: 1))
        #expect(try attributes(message, after: 12) == [5: [10, 0, 2, 2], 4: [3, 0, 0, 0], 6: [101, 0, 0, 0]])
    }

    @Test("what is no address is refused", arguments: [[], [1, 2, 3], [1, 2, 3, 4, 5], Array(repeating: 0, count: 17)] as [[UInt8]])
    func noAddress(bytes: [UInt8]) {
        #expect(NetlinkMessage.address(bytes, prefixLength: 0, link: 1, sequence: 1) == nil)
        #expect(NetlinkMessage.defaultRoute(bytes, link: 1, metric: 0, sequence: 1) == nil)
    }

    @Test("a prefix longer than the address is refused")
    func longPrefix() {
        #expect(NetlinkMessage.address([1, 2, 3, 4], prefixLength: 33, link: 1, sequence: 1) == nil)
    }

    @Test("the kernel's answer is an errno")
    func answer() {
        let header: [UInt8] = [36, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]
        #expect(NetlinkMessage.answer(header + [0, 0, 0, 0]) == 0)
        #expect(NetlinkMessage.answer(header + [0xef, 0xff, 0xff, 0xff]) == 17)
        #expect(NetlinkMessage.answer(header) == nil)
        #expect(NetlinkMessage.answer([]) == nil)
        #expect(NetlinkMessage.answer([36, 0, 0, 0, 3, 0] + Array(repeating: 0, count: 30)) == nil)
    }
}
