import LinuxSystem

/// Feature bits of a network device (virtio 1.2, 5.1.3).
struct NetworkFeatures: OptionSet, Sendable, Equatable {
    let rawValue: UInt64

    static let checksum = NetworkFeatures(rawValue: 1 << 0)  // VIRTIO_NET_F_CSUM
    static let guestChecksum = NetworkFeatures(rawValue: 1 << 1)  // VIRTIO_NET_F_GUEST_CSUM
    static let mtu = NetworkFeatures(rawValue: 1 << 3)  // VIRTIO_NET_F_MTU
    static let mac = NetworkFeatures(rawValue: 1 << 5)  // VIRTIO_NET_F_MAC
    static let guestTSO4 = NetworkFeatures(rawValue: 1 << 7)  // VIRTIO_NET_F_GUEST_TSO4
    static let guestTSO6 = NetworkFeatures(rawValue: 1 << 8)  // VIRTIO_NET_F_GUEST_TSO6
    static let guestECN = NetworkFeatures(rawValue: 1 << 9)  // VIRTIO_NET_F_GUEST_ECN
    static let guestUFO = NetworkFeatures(rawValue: 1 << 10)  // VIRTIO_NET_F_GUEST_UFO
    static let hostTSO4 = NetworkFeatures(rawValue: 1 << 11)  // VIRTIO_NET_F_HOST_TSO4
    static let hostTSO6 = NetworkFeatures(rawValue: 1 << 12)  // VIRTIO_NET_F_HOST_TSO6
    static let hostECN = NetworkFeatures(rawValue: 1 << 13)  // VIRTIO_NET_F_HOST_ECN
    static let hostUFO = NetworkFeatures(rawValue: 1 << 14)  // VIRTIO_NET_F_HOST_UFO
    static let mergeableBuffers = NetworkFeatures(rawValue: 1 << 15)  // VIRTIO_NET_F_MRG_RXBUF
    static let status = NetworkFeatures(rawValue: 1 << 16)  // VIRTIO_NET_F_STATUS
    static let controlQueue = NetworkFeatures(rawValue: 1 << 17)  // VIRTIO_NET_F_CTRL_VQ
    static let receiveMode = NetworkFeatures(rawValue: 1 << 18)  // VIRTIO_NET_F_CTRL_RX
    static let receiveModeExtra = NetworkFeatures(rawValue: 1 << 20)  // VIRTIO_NET_F_CTRL_RX_EXTRA
    static let multiQueue = NetworkFeatures(rawValue: 1 << 22)  // VIRTIO_NET_F_MQ
    static let controlMAC = NetworkFeatures(rawValue: 1 << 23)  // VIRTIO_NET_F_CTRL_MAC_ADDR

    /// Offered with every backend.
    static let always: NetworkFeatures = [.mac, .mergeableBuffers, .status, .controlQueue, .receiveMode, .receiveModeExtra,
                                          .controlMAC]
    /// Those with which frames larger than the MTU, or without checksum, cross the queues.
    private static let guestOffloads: [(NetworkFeatures, TapOffloads)] = [
        (.guestChecksum, .checksum), (.guestTSO4, .tso4), (.guestTSO6, .tso6), (.guestECN, .ecn), (.guestUFO, .ufo),
    ]
    private static let hostOffloads: [(NetworkFeatures, TapOffloads)] = [
        (.checksum, .checksum), (.hostTSO4, .tso4), (.hostTSO6, .tso6), (.hostECN, .ecn), (.hostUFO, .ufo),
    ]

    /// What can be offered where the kernel can leave this to the guest, and do it for the guest.
    init(_ offloads: TapOffloads) {
        self = []
        for (feature, offload) in Self.guestOffloads + Self.hostOffloads where offloads.contains(offload) { insert(feature) }
    }

    init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    /// What the kernel may leave to a guest that has accepted these features. None goes without the checksum (5.1.3.1).
    var tapOffloads: TapOffloads {
        guard contains(.guestChecksum) else { return [] }
        return Self.guestOffloads.reduce(into: []) { if contains($1.0) { $0.insert($1.1) } }
    }

    var hasLargeFrames: Bool { !isDisjoint(with: [.guestTSO4, .guestTSO6, .guestUFO]) }
}

/// struct virtio_net_hdr_v1, before every frame (virtio 1.2, 5.1.6).
enum FrameHeader {
    static let size = TapQueue.headerSize
    static let flagsOffset = 0
    static let bufferCountOffset = 10
}

/// Sizes in bytes.
enum FrameSize {
    /// An Ethernet header with a VLAN tag.
    static let ethernetHeader = 18
    /// The largest that a TAP gives: a segmentation offload's payload of 64 KiB behind its headers, and the frame header.
    static let maximum = FrameHeader.size + 65_550
    /// The smallest that has a destination, a source and a type.
    static let minimum = 14
}
