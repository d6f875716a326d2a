/// An Ethernet address as a number, the first byte in bits 0 to 7.
struct EthernetAddress: Equatable, Sendable, BitwiseCopyable {
    static let size = 6
    static let broadcast = EthernetAddress(rawValue: 0xFFFF_FFFF_FFFF)

    let rawValue: UInt64

    init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    /// From six bytes; those that are missing are zero.
    init(_ bytes: some Sequence<UInt8>) {
        var value: UInt64 = 0
        for (index, byte) in bytes.prefix(Self.size).enumerated() { value |= UInt64(byte) << UInt64(8 * index) }
        rawValue = value
    }

    var bytes: [UInt8] { (0..<Self.size).map { UInt8(truncatingIfNeeded: rawValue >> UInt64(8 * $0)) } }
    /// Meant for several stations, or for all.
    var isMulticast: Bool { rawValue & 1 != 0 }
}

/// Which frames the driver wants, by their destination (virtio 1.2, 5.1.6.5.1 and 5.1.6.5.2). A device starts with all.
struct ReceiveFilter: Equatable, Sendable {
    /// Addresses of a table at the most; with more, all of their kind are let through.
    static let tableLimit = 64

    var own: EthernetAddress
    var isPromiscuous = true
    var allowsAllMulticast = false
    var allowsAllUnicast = false
    var refusesMulticast = false
    var refusesUnicast = false
    var refusesBroadcast = false
    var unicast: [EthernetAddress] = []
    var multicast: [EthernetAddress] = []
    var unicastOverflows = false
    var multicastOverflows = false

    init(own: EthernetAddress) {
        self.own = own
    }

    func accepts(_ destination: EthernetAddress) -> Bool {
        if isPromiscuous { return true }
        if destination == .broadcast { return !refusesBroadcast }
        if destination.isMulticast {
            if refusesMulticast { return false }
            return allowsAllMulticast || multicastOverflows || multicast.contains(destination)
        }
        if refusesUnicast { return false }
        return destination == own || allowsAllUnicast || unicastOverflows || unicast.contains(destination)
    }
}
