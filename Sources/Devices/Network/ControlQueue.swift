import Virtio

/// Commands on the control queue (virtio 1.2, 5.1.6.5).
enum ControlCommand: Equatable {
    case setFilter(ReceiveFilter)
    case setPairs(Int)

    private enum Class {
        static let receiveMode: UInt8 = 0  // VIRTIO_NET_CTRL_RX
        static let mac: UInt8 = 1  // VIRTIO_NET_CTRL_MAC
        static let multiQueue: UInt8 = 4  // VIRTIO_NET_CTRL_MQ
    }

    private static let headerSize = 2
    static let ok: UInt8 = 0  // VIRTIO_NET_OK
    static let error: UInt8 = 1  // VIRTIO_NET_ERR

    /// Reads a command; nil where it is unknown, malformed, of a feature that was not accepted, or out of bounds. Throws where
    /// there is no room for an answer.
    static func read(
        _ chain: DescriptorChain, _ filter: ReceiveFilter, _ features: NetworkFeatures, pairs: ClosedRange<Int>
    ) throws(QueueError) -> ControlCommand? {
        guard let kind = chain.read(UInt8.self, at: 0), let command = chain.read(UInt8.self, at: 1),
              chain.writableCount >= 1 else { throw .request }
        switch kind {
        case Class.receiveMode: return receiveMode(chain, command, filter, features).map { .setFilter($0) }
        case Class.mac:
            let changed = command == 0 ? table(chain, filter, features) : command == 1 ? address(chain, filter, features) : nil
            return changed.map { .setFilter($0) }
        case Class.multiQueue:
            guard features.contains(.multiQueue), command == 0, chain.readableCount == headerSize + 2,
                  let count = chain.read(UInt16.self, at: headerSize), pairs.contains(Int(count)) else { return nil }
            return .setPairs(Int(count))
        default: return nil
        }
    }

    private static func receiveMode(
        _ chain: DescriptorChain, _ command: UInt8, _ filter: ReceiveFilter, _ features: NetworkFeatures
    ) -> ReceiveFilter? {
        guard features.contains(command < 2 ? .receiveMode : .receiveModeExtra), chain.readableCount == headerSize + 1,
              let value = chain.read(UInt8.self, at: headerSize), value < 2 else { return nil }
        var filter = filter
        switch command {
        case 0: filter.isPromiscuous = value == 1  // VIRTIO_NET_CTRL_RX_PROMISC
        case 1: filter.allowsAllMulticast = value == 1  // VIRTIO_NET_CTRL_RX_ALLMULTI
        case 2: filter.allowsAllUnicast = value == 1  // VIRTIO_NET_CTRL_RX_ALLUNI
        case 3: filter.refusesMulticast = value == 1  // VIRTIO_NET_CTRL_RX_NOMULTI
        case 4: filter.refusesUnicast = value == 1  // VIRTIO_NET_CTRL_RX_NOUNI
        case 5: filter.refusesBroadcast = value == 1  // VIRTIO_NET_CTRL_RX_NOBCAST
        default: return nil
        }
        return filter
    }

    /// VIRTIO_NET_CTRL_MAC_TABLE_SET: two lists, of unicast and of multicast addresses, each behind its length in 32 bits.
    private static func table(_ chain: DescriptorChain, _ filter: ReceiveFilter, _ features: NetworkFeatures) -> ReceiveFilter? {
        guard features.contains(.receiveMode) else { return nil }
        var filter = filter
        var offset = headerSize
        guard let unicast = list(chain, &offset), let multicast = list(chain, &offset), offset == chain.readableCount
        else { return nil }
        (filter.unicast, filter.unicastOverflows) = unicast
        (filter.multicast, filter.multicastOverflows) = multicast
        return filter
    }

    private static func list(_ chain: DescriptorChain, _ offset: inout Int) -> ([EthernetAddress], overflows: Bool)? {
        guard let count = chain.read(UInt32.self, at: offset).map({ Int($0) }) else { return nil }
        offset += 4
        let start = offset
        // Far from overflowing: a number of 32 bits.
        offset += count * EthernetAddress.size
        guard offset <= chain.readableCount else { return nil }
        guard count <= ReceiveFilter.tableLimit else { return ([], true) }
        return ((0..<count).map { read(chain, at: start + $0 * EthernetAddress.size) }, false)
    }

    /// VIRTIO_NET_CTRL_MAC_ADDR_SET.
    private static func address(
        _ chain: DescriptorChain, _ filter: ReceiveFilter, _ features: NetworkFeatures
    ) -> ReceiveFilter? {
        guard features.contains(.controlMAC), chain.readableCount == headerSize + EthernetAddress.size else { return nil }
        var filter = filter
        filter.own = read(chain, at: headerSize)
        return filter.own.isMulticast ? nil : filter
    }

    private static func read(_ chain: DescriptorChain, at offset: Int) -> EthernetAddress {
        var value: UInt64 = 0
        withUnsafeMutableBytes(of: &value) {
            _ = chain.read(at: offset, into: UnsafeMutableRawBufferPointer(rebasing: $0[..<EthernetAddress.size]))
        }
        return EthernetAddress(rawValue: UInt64(littleEndian: value))
    }
}
