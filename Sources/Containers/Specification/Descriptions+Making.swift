import AgentProtocol
import ContainerProtocol
import LinuxSystem
import MachineProtocol

extension ProcessConfiguration {
    /// A container's main process.
    init(_ configuration: ContainerConfiguration, terminal: TerminalSize?) {
        self.init(arguments: configuration.arguments, environment: configuration.environment,
                  workingDirectory: configuration.workingDirectory, user: configuration.user)
        additionalGroups = configuration.additionalGroups
        capabilities = Capabilities.mask(configuration.capabilities)
        hasNoNewPrivileges = configuration.hasNoNewPrivileges
        limits = configuration.limits.compactMap { limit in
            ResourceLimits.number(limit.name).map { ResourceLimit(resource: $0, soft: limit.soft, hard: limit.hard) }
        }
        if configuration.hasTerminal { self.terminal = terminal ?? TerminalSize(columns: 80, rows: 24) }
        streams.hasInput = configuration.hasInput
        hasInit = configuration.hasInit
    }
}

extension ContainerDescription {
    /// What the monitor is told of the container.
    init(_ record: ContainerRecord, paths: ContainerPaths, sandbox: SandboxConfiguration, terminal: ProcessConfiguration.TerminalSize?,
         eventLog: String) {
        let configuration = record.configuration
        self.init(identifier: record.identifier, name: record.name, image: record.image, directory: paths.directory, socket: paths.socket,
                  sandbox: sandbox, process: ProcessConfiguration(configuration, terminal: terminal), eventLog: eventLog)
        hasInput = configuration.hasInput
        log = LogDescription(isKept: configuration.log.isKept, maximumSize: configuration.log.maximumSize,
                             maximumFiles: configuration.log.maximumFiles)
        restart = switch configuration.restart {
        case .never: .never
        case .onFailure(let maximum): .onFailure(maximum: maximum)
        case .always: .always
        case .unlessStopped: .unlessStopped
        }
        health = configuration.health.map { check in
            HealthCheck(command: check.command, interval: check.interval, timeout: check.timeout, startPeriod: check.startPeriod,
                        retries: check.retries)
        }
        stopTimeout = configuration.stopTimeout
    }
}

extension MachineDescription {
    /// Kernel parameters for speed and memory; the lead's own come first, and these override them. With the areas of processors in pages
    /// of 4 KiB, Linux accounts for the memory in them in tables of 0.3 MiB; in those of 2 MiB, its choice, the tables take 4 MiB.
    private static let parameters = "quiet percpu_alloc=page"

    /// The machine of a container.
    ///
    /// - Parameter volumes: by their places among the mounts.
    init(_ configuration: ContainerConfiguration, paths: ContainerPaths, programs: EnginePrograms, rootDisk: String, mac: [UInt8],
         volumes: [Int: VolumeAttachment] = [:]) {
        self.init(kernel: configuration.kernel ?? programs.kernel, initrd: programs.agent, commandLine: Self.parameters)
        disks = [
            DiskDescription(path: rootDisk, readOnly: true, serial: SandboxConfiguration.Devices.image),
            DiskDescription(path: paths.writableDisk, serial: SandboxConfiguration.Devices.writable),
        ]
        for (index, volume) in volumes.sorted(by: { $0.key < $1.key }) where volume.kind == .disk {
            disks.append(DiskDescription(path: volume.path, readOnly: volume.isReadOnly, serial: SandboxConfiguration.Devices.volume(index)))
        }
        shares = configuration.mounts.enumerated().compactMap { index, mount in
            let (tag, name) = (SandboxConfiguration.Devices.shares, SandboxConfiguration.Devices.share(index))
            switch mount {
            case .bind(let source, _, let options, let ownership):
                return ShareDescription(path: source, tag: tag, name: name, readOnly: options.contains(.readOnly),
                                        ownership: ownership.map { ShareOwnership($0) } ?? .automatic)
            case .volume:
                guard let volume = volumes[index], volume.kind == .directory else { return nil }
                // Nobody else has a word in whose its files are: they are kept as the container's users see them, also where this user may
                // not give files away.
                return ShareDescription(path: volume.path, tag: tag, name: name, readOnly: volume.isReadOnly,
                                        ownership: CurrentProcess.user == 0 ? .passthrough : .mapped)
            case .temporary: return nil
            }
        }
        vsock = VsockDescription()
        stateDirectory = paths.runDirectory
        processorCount = configuration.processors
        memorySize = configuration.memory
        console = .file(paths.console)
        consoleModel = .virtio
        graceSeconds = Double(configuration.stopTimeout)
        guard configuration.network == .user else { return }
        let user = UserNetworkDescription(
            published: configuration.ports.map { port in
                PublishedPort(address: port.address, host: port.host, guest: port.container,
                              transport: port.transport == .tcp ? .tcp : .udp)
            },
            reachesHost: configuration.hosts.contains { $0.address == nil },
            addresses: configuration.address.map { address in
                UserNetworkDescription.Addresses(guest: address, prefixLength: UserNetworkPlan.prefixLength, gateway: UserNetworkPlan.gateway,
                                                 resolver: UserNetworkPlan.resolver)
            })
        interfaces = [NetworkDescription(.user(user), mac: mac)]
    }
}

extension ShareOwnership {
    init(_ ownership: MountOwnership) {
        self = switch ownership {
        case .passthrough: .passthrough
        case .mapped: .mapped
        case .squash(let user, let group): .squash(user: user, group: group)
        }
    }
}
