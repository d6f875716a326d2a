import Virtio
import Wire

/// What a driver has asked of a network device by its control queue.
struct NetworkSetup: Equatable, Sendable {
    var filter: ReceiveFilter
    /// Pairs of queues in use.
    var pairCount: Int

    init(filter: ReceiveFilter, pairCount: Int) {
        self.filter = filter
        self.pairCount = pairCount
    }

    /// For a saved machine.
    var bytes: [UInt8] {
        var encoder = WireEncoder()
        encoder.encode(UInt16(clamping: pairCount))
        encoder.encode(filter.own.rawValue)
        for flag in [filter.isPromiscuous, filter.allowsAllMulticast, filter.allowsAllUnicast, filter.refusesMulticast,
                     filter.refusesUnicast, filter.refusesBroadcast, filter.unicastOverflows, filter.multicastOverflows] {
            encoder.encode(flag)
        }
        for table in [filter.unicast, filter.multicast] { encoder.encode(table) { $0.encode($1.rawValue) } }
        return encoder.bytes
    }

    /// - Parameter pairs: how many the device can have in use.
    init(_ bytes: [UInt8], pairs: ClosedRange<Int>) throws(SavedStateError) {
        var decoder = WireDecoder(bytes)
        do throws(WireError) {
            pairCount = Int(try decoder.decode(UInt16.self))
            filter = ReceiveFilter(own: EthernetAddress(rawValue: try decoder.decode(UInt64.self) & EthernetAddress.broadcast.rawValue))
            filter.isPromiscuous = try decoder.decode(Bool.self)
            filter.allowsAllMulticast = try decoder.decode(Bool.self)
            filter.allowsAllUnicast = try decoder.decode(Bool.self)
            filter.refusesMulticast = try decoder.decode(Bool.self)
            filter.refusesUnicast = try decoder.decode(Bool.self)
            filter.refusesBroadcast = try decoder.decode(Bool.self)
            filter.unicastOverflows = try decoder.decode(Bool.self)
            filter.multicastOverflows = try decoder.decode(Bool.self)
            filter.unicast = try Self.table(&decoder)
            filter.multicast = try Self.table(&decoder)
            try decoder.finish()
        } catch {
            throw SavedStateError("what its driver has asked of it does not decode (\(error))")
        }
        guard pairs.contains(pairCount) else {
            throw SavedStateError("the driver uses \(pairCount) pairs of queues, the device has \(pairs.upperBound) here")
        }
    }

    private static func table(_ decoder: inout WireDecoder) throws(WireError) -> [EthernetAddress] {
        try decoder.decodeArray(limit: ReceiveFilter.tableLimit) { (decoder) throws(WireError) in
            EthernetAddress(rawValue: try decoder.decode(UInt64.self) & EthernetAddress.broadcast.rawValue)
        }
    }
}
