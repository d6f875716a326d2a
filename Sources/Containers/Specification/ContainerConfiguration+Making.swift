extension ContainerConfiguration {
    /// Puts together what the user asks for and what the image says. What is left to the host is decided by `host`.
    init(_ request: ContainerRequest, image: ImageSettings, identifier: String, host: HostFacts) throws(ContainerError) {
        if let entrypoint = request.entrypoint {
            self.entrypoint = entrypoint
            command = request.command
        } else {
            entrypoint = image.entrypoint
            command = request.command.isEmpty ? image.command : request.command
        }
        guard let program = entrypoint.first ?? command.first else {
            throw .invalid("\(request.image): the image names no command, expected one behind the image's name")
        }
        guard !program.isEmpty else { throw .invalid("\(request.image): the command is an empty word, expected a program") }

        hostname = request.hostname ?? ContainerIdentifier.short(identifier)
        try Self.check(hostname: hostname)
        environment = try Self.environment(request, image, hostname: hostname)
        user = request.user ?? image.user
        additionalGroups = request.additionalGroups
        workingDirectory = request.workingDirectory ?? (image.workingDirectory.isEmpty ? "/" : image.workingDirectory)
        guard workingDirectory.hasPrefix("/") else {
            throw .invalid("--workdir \(workingDirectory): expected an absolute path in the container")
        }
        (hasInput, hasTerminal, hasInit) = (request.hasInput, request.hasTerminal, request.hasInit)
        isRootReadOnly = request.isRootReadOnly
        volumes = try Self.volumes(image, request)
        mounts = request.mounts + volumes.map { .volume(VolumeMount(name: nil, destination: $0)) }
        try Self.check(mounts)

        network = try ContainerNetwork(request, host: host)
        ports = request.ports + (request.publishesExposedPorts && network != .none ? try Self.exposed(image) : [])
        try Self.check(ports)
        (address, macAddress) = (try Self.address(request, network), network == .user ? request.macAddress : nil)
        (dnsServers, dnsDomains, dnsOptions) = (request.dnsServers, request.dnsDomains, request.dnsOptions)
        hosts = request.hosts

        memory = request.memory ?? ContainerDefaults.memory
        processors = request.processors ?? min(max(host.processors, 1), ContainerDefaults.processors)
        processLimit = request.processLimit
        sharedMemory = request.sharedMemory ?? ContainerDefaults.sharedMemory
        labels = image.labels.merging(request.labels) { $1 }
        annotations = request.annotations
        stopSignal = try Self.signal(request.stopSignal, image.stopSignal)
        stopTimeout = request.stopTimeout ?? ContainerDefaults.stopTimeout
        restart = request.restart
        if restart != .never, request.isTemporary { throw .invalid("--restart with --rm: expected one of them") }
        limits = try Self.limits(request.limits)
        sysctls = request.sysctls
        capabilities = try Capabilities.combine(adding: request.addedCapabilities, dropping: request.droppedCapabilities)
        hasNoNewPrivileges = request.hasNoNewPrivileges
        kernel = request.kernel
        isCold = request.isCold ? true : nil
        health = try ContainerHealthCheck(request.health, image: image)
        log = request.log
    }

    /// The image's variables, then the user's; each name once, at its first place.
    private static func environment(
        _ request: ContainerRequest, _ image: ImageSettings, hostname: String
    ) throws(ContainerError) -> [String] {
        var variables = [ContainerDefaults.path, "container=svmm", "HOSTNAME=\(hostname)"]
        if request.hasTerminal { variables.append("TERM=xterm") }
        var places: [Substring: Int] = [:]
        var result: [String] = []
        for variable in variables + image.environment + request.environment {
            let name = variable.prefix { $0 != "=" }
            guard name.utf8.count < variable.utf8.count, !name.isEmpty else {
                throw .invalid("environment variable '\(variable)': expected NAME=VALUE")
            }
            if let place = places[name] {
                result[place] = variable
            } else {
                places[name] = result.count
                result.append(variable)
            }
        }
        return result
    }

    private static func check(hostname: String) throws(ContainerError) {
        let isPlain = hostname.utf8.allSatisfy { byte in
            (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte) || byte == 45 || byte == 46 || byte == 95
        }
        guard isPlain, (1...64).contains(hostname.utf8.count), hostname.utf8.first != 45, hostname.utf8.first != 46 else {
            throw .invalid("--hostname '\(hostname)': expected 1 to 64 letters, digits, '-' and '.', the first no '-' or '.'")
        }
    }

    private static func check(_ mounts: [ContainerMount]) throws(ContainerError) {
        var seen: Set<String> = []
        for mount in mounts {
            let path = mount.destination
            guard path.hasPrefix("/"), path.utf8.count <= 4095 else {
                throw .invalid("mount at '\(path)': expected an absolute path in the container")
            }
            guard path.split(separator: "/").count > 0 else { throw .invalid("mount at /: expected a directory below the root") }
            guard seen.insert(path).inserted else { throw .invalid("mount at \(path): given twice, expected one mount for each directory") }
        }
    }

    /// The directories that the image wants as volumes, and that the user has nothing else for.
    private static func volumes(_ image: ImageSettings, _ request: ContainerRequest) throws(ContainerError) -> [String] {
        var volumes: [String] = []
        for path in image.volumes {
            let components = path.split(separator: "/").filter { $0 != "." }
            guard !components.isEmpty, !components.contains("..") else {
                throw .invalid("\(request.image): the image wants a volume at '\(path)', expected a directory below / without .. in its path")
            }
            let destination = "/" + components.joined(separator: "/")
            let isTaken = request.mounts.contains { $0.destination == destination } || volumes.contains(destination)
            if !isTaken { volumes.append(destination) }
        }
        return volumes
    }

    private static func check(_ ports: [ContainerPort]) throws(ContainerError) {
        guard let port = ContainerPort.firstConflict(ports) else { return }
        let name = "\(port.host)/\(port.transport.rawValue)"
        throw .invalid("--publish \(port.host):\(port.container): port \(name) of the host is given twice, expected one publication of it")
    }

    /// As many as a range of --publish has: each takes a port of the host.
    private static func exposed(_ image: ImageSettings) throws(ContainerError) -> [ContainerPort] {
        guard image.exposedPorts.count <= 1024 else {
            throw .invalid("--publish-all: the image exposes \(image.exposedPorts.count) ports, expected at most 1024; publish those that are used")
        }
        return image.exposedPorts
    }

    private static func address(_ request: ContainerRequest, _ network: ContainerNetwork) throws(ContainerError) -> String? {
        guard network == .user else {
            guard network == .none else { return nil }
            guard request.ports.isEmpty else { throw .invalid("--publish with --network none: expected --network user, or the name of a network") }
            guard request.address == nil else { throw .invalid("--ip with --network none: expected --network user, or the name of a network") }
            return nil
        }
        guard let text = request.address else { return UserNetworkPlan.address }
        guard let bytes = InternetAddress.version4(text), UserNetworkPlan.isUsable(bytes) else {
            throw .invalid("--ip \(text): expected an address of \(UserNetworkPlan.range), \(UserNetworkPlan.gateway) and \(UserNetworkPlan.resolver) excepted")
        }
        return text
    }

    private static func signal(_ asked: String?, _ ofImage: String?) throws(ContainerError) -> UInt8 {
        if let asked {
            guard let number = LinuxSignals.number(asked) else {
                throw .invalid("--stop-signal \(asked): expected a signal's name such as SIGTERM, or its number")
            }
            return number
        }
        // An image with a signal that does not exist runs all the same.
        return ofImage.flatMap { LinuxSignals.number($0) } ?? 15
    }

    private static func limits(_ limits: [ContainerLimit]) throws(ContainerError) -> [ContainerLimit] {
        for limit in limits {
            guard ResourceLimits.number(limit.name) != nil else {
                throw .invalid("--ulimit \(limit.name): expected one of \(ResourceLimits.names.joined(separator: ", "))")
            }
            guard limit.soft <= limit.hard else { throw .invalid("--ulimit \(limit.name): the soft limit is above the hard one") }
        }
        let isSet = limits.contains { $0.name == "nofile" }
        return isSet ? limits : limits + [ContainerLimit(name: "nofile", soft: ResourceLimits.openFiles, hard: ResourceLimits.openFiles)]
    }
}

extension ContainerHealthCheck {
    /// nil: none is asked for.
    fileprivate init?(_ request: HealthRequest, image: ImageSettings) throws(ContainerError) {
        guard !request.isDisabled, let test = request.test ?? image.healthTest, let kind = test.first else { return nil }
        switch kind {
        case "NONE": return nil
        case "CMD": command = Array(test.dropFirst())
        case "CMD-SHELL": command = image.shell + test.dropFirst()
        default: command = image.shell + [test.joined(separator: " ")]
        }
        guard !command.isEmpty else { throw .invalid("--health-cmd: expected a command, found nothing") }
        interval = request.interval ?? image.healthInterval ?? 30_000
        timeout = request.timeout ?? image.healthTimeout ?? 30_000
        startPeriod = request.startPeriod ?? image.healthStartPeriod ?? 0
        retries = max(request.retries ?? image.healthRetries ?? 3, 1)
    }
}
