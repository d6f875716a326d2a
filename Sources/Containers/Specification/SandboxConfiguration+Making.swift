import AgentProtocol

extension SandboxConfiguration {
    /// Serial numbers of the disks, the tag of the shares, and names in it.
    enum Devices {
        static let image = "root"
        static let writable = "writable"
        static let shares = "svmm"

        static func share(_ index: Int) -> String { "v\(index)" }

        /// Of a volume's disk, by the place of its mount.
        static func volume(_ index: Int) -> String { "volume-\(index)" }
    }

    /// What a container finds around it.
    ///
    /// - Parameters:
    ///   - mac: of its interface in the user network, if it has one.
    ///   - time: nanoseconds since 1970.
    ///   - volumes: by their places among the mounts.
    init(
        _ record: ContainerRecord, mac: [UInt8], _ surroundings: NetworkSurroundings, time: UInt64, volumes: [Int: VolumeAttachment] = [:]
    ) {
        let configuration = record.configuration
        let names = configuration.hostname.split(separator: ".", maxSplits: 1)
        self.init(hostname: names.first.map(String.init) ?? configuration.hostname,
                  root: RootConfiguration(imageDisk: Devices.image, writableDisk: Devices.writable, isReadOnly: configuration.isRootReadOnly))
        mounts = configuration.mounts.enumerated().compactMap { index, mount in Mount(mount, index: index, volumes[index]) }
        sharedMemorySize = configuration.sharedMemory
        files = [
            File(path: "/etc/hosts", contents: Array(HostFiles.hosts(record, surroundings).utf8)),
            File(path: "/etc/hostname", contents: Array("\(configuration.hostname)\n".utf8)),
            File(path: "/etc/resolv.conf", contents: Array(HostFiles.resolver(configuration, surroundings).utf8)),
        ]
        if let address = configuration.address.flatMap({ InternetAddress.version4($0) }) {
            interfaces = [Interface(
                mac: mac, name: "eth0", addresses: [Address(bytes: address, prefixLength: UserNetworkPlan.prefixLength)],
                gateways: InternetAddress.version4(UserNetworkPlan.gateway).map { [$0] } ?? [])]
        }
        interfaces += surroundings.interfaces.map(Interface.init)
        kernelParameters = Self.parameters(configuration)
        maskedPaths = Self.masked
        readOnlyPaths = Self.readOnly
        processLimit = configuration.processLimit
        stopSignal = configuration.stopSignal
        stopGrace = UInt32(clamping: UInt64(configuration.stopTimeout) * 1000)
        self.time = time
    }

    private static func parameters(_ configuration: ContainerConfiguration) -> [KernelParameter] {
        var values = configuration.sysctls
        // Everybody may ping, as with podman, although CAP_NET_RAW is nobody's.
        let ping = "net.ipv4.ping_group_range"
        if configuration.network != .none, values[ping] == nil { values[ping] = "0 0" }
        return values.sorted { $0.key < $1.key }.map { KernelParameter(name: $0.key, value: $0.value) }
    }

    // The defaults of the OCI runtime tools, as podman and Docker have them.
    static let masked = [
        "/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug",
        "/proc/scsi", "/sys/firmware", "/sys/fs/selinux", "/sys/dev/block",
    ]
    static let readOnly = ["/proc/asound", "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
}

extension SandboxConfiguration.Interface {
    fileprivate init(_ interface: AttachedNetworks.Interface) {
        self.init(mac: interface.mac, name: interface.name, mtu: interface.mtu ?? 0,
                  addresses: interface.addresses.map { SandboxConfiguration.Address(bytes: $0.address.bytes, prefixLength: $0.prefixLength) },
                  gateways: interface.gateways.map(\.bytes))
    }
}

extension SandboxConfiguration.Mount {
    /// nil for a volume that there is no attachment of.
    fileprivate init?(_ mount: ContainerMount, index: Int, _ volume: VolumeAttachment?) {
        let share = Source.share(tag: SandboxConfiguration.Devices.shares, name: SandboxConfiguration.Devices.share(index))
        switch mount {
        case .bind(_, let destination, let options, _):
            self.init(share, at: destination, isReadOnly: options.contains(.readOnly), flags: Flags(options))
        case .volume(let mount):
            guard let volume else { return nil }
            self.init(volume.kind == .disk ? .disk(SandboxConfiguration.Devices.volume(index)) : share, at: mount.destination,
                      isReadOnly: mount.options.contains(.readOnly), flags: Flags(mount.options), copiesImage: volume.isFilled)
        case .temporary(let destination, let size, let mode, let options):
            self.init(.temporary(size: size, mode: mode), at: destination, isReadOnly: options.contains(.readOnly), flags: Flags(options))
        }
    }
}

extension SandboxConfiguration.Mount.Flags {
    fileprivate init(_ options: MountOptions) {
        self = []
        if options.contains(.noSetID) { insert(.noSetID) }
        if options.contains(.noDevices) { insert(.noDevices) }
        if options.contains(.noExecution) { insert(.noExecution) }
    }
}
