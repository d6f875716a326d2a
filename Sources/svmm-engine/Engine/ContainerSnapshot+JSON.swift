import Containers
import ContainerProtocol
import LinuxSystem
import Registry

/// A container as `svmm container ls` and `inspect` show it, with podman's and Docker's names.
extension ContainerSnapshot {
    /// For `ls`.
    ///
    /// - Parameter now: nanoseconds since 1970.
    func summary(now: UInt64, isFull: Bool) -> JSONValue {
        let configuration = record.configuration
        let command = configuration.arguments.joined(separator: " ")
        return .object([
            "ID": .string(isFull ? record.identifier : record.shortIdentifier),
            "Names": .string(record.name),
            "Image": .string(record.image),
            "ImageDigest": .string(record.digest),
            "Command": .string(isFull || command.count <= 30 ? command : command.prefix(29) + "…"),
            "CreatedAt": .string(Timestamp.text(record.created)),
            "Created": .integer(Int64(clamping: record.created / 1_000_000_000)),
            "RunningFor": .string(Figures.duration(nanoseconds: now > record.created ? now - record.created : 0) + " ago"),
            "State": .string(state.rawValue),
            "Status": .string(statusText(now: now)),
            "ExitCode": .integer(Int64(status?.exitStatus ?? 0)),
            "Pid": .integer(Int64(isRunning ? status?.processIdentifier ?? 0 : 0)),
            "Ports": .string(configuration.ports.map(\.text).joined(separator: ", ")),
            "Networks": .string(configuration.network.text),
            "Mounts": .string(configuration.mounts.map(\.destination).joined(separator: ",")),
            "Labels": .object(configuration.labels.mapValues { .string($0) }),
        ])
    }

    /// For example "Up 3 minutes (healthy)" or "Exited (0) 2 hours ago".
    func statusText(now: UInt64) -> String {
        func passed(_ time: UInt64) -> String { Figures.duration(nanoseconds: now > time ? now - time : 0) }
        guard let status else { return "Created" }
        switch status.state {
        case .starting: return status.restartCount > 0 ? "Restarting" : "Starting"
        case .running, .paused, .stopping:
            let health = switch status.health {
            case .none: ""
            case .starting: " (starting)"
            case .healthy: " (healthy)"
            case .unhealthy: " (unhealthy)"
            }
            let suffix = status.state == .paused ? " (Paused)" : status.state == .stopping ? " (Stopping)" : health
            return "Up \(passed(status.startTime))\(suffix)"
        case .exited: return "Exited (\(status.exitStatus)) \(passed(status.endTime)) ago"
        }
    }

    private static func time(_ nanoseconds: UInt64) -> JSONValue {
        .string(nanoseconds == 0 ? "0001-01-01T00:00:00Z" : Timestamp.text(nanoseconds))
    }

    private static func list(_ texts: [String]) -> JSONValue { .array(texts.map { .string($0) }) }

    private static func texts(_ texts: [String: String]) -> JSONValue { .object(texts.mapValues { .string($0) }) }

    /// For `inspect`.
    ///
    /// - Parameters:
    ///   - directory: the container's, in the store.
    ///   - volumes: where the files of volumes are, by their names.
    func details(directory: String, volumes: [String: String] = [:]) -> JSONValue {
        let configuration = record.configuration
        let arguments = configuration.arguments
        return .object([
            "Id": .string(record.identifier),
            "Name": .string(record.name),
            "Created": Self.time(record.created),
            "Path": .string(arguments.first ?? ""),
            "Args": Self.list(Array(arguments.dropFirst())),
            "State": state(of: status),
            "Image": .string(record.digest),
            "ImageName": .string(record.image),
            "RootFS": .string(record.root),
            "StaticDir": .string(directory),
            "LogPath": .string(directory + "/" + ContainerFiles.log),
            "ConsolePath": .string(directory + "/" + ContainerFiles.console),
            "RestartCount": .integer(Int64(status?.restartCount ?? 0)),
            "Driver": .string("svmm"),
            "Mounts": .array(configuration.mounts.map { $0.details(volumes) }),
            "Config": config,
            "HostConfig": hostConfig,
            "NetworkSettings": networkSettings,
        ])
    }

    private func state(of status: ContainerStatus?) -> JSONValue {
        var members: [String: JSONValue] = [
            "Status": .string(state.rawValue),
            "Running": .bool(isRunning && state != .starting),
            "Paused": .bool(state == .paused),
            "Restarting": .bool(state == .starting && (status?.restartCount ?? 0) > 0),
            "OOMKilled": .bool(status?.wasOutOfMemory ?? false),
            "Dead": .bool(false),
            "Pid": .integer(Int64(isRunning ? status?.processIdentifier ?? 0 : 0)),
            "ExitCode": .integer(Int64(isRunning ? 0 : status?.exitStatus ?? 0)),
            "Error": .string(status?.failure ?? ""),
            "StartedAt": Self.time(status?.startTime ?? 0),
            "FinishedAt": Self.time(isRunning ? 0 : status?.endTime ?? 0),
        ]
        if let status, status.health != .none {
            let names: [ContainerStatus.Health: String] = [.starting: "starting", .healthy: "healthy", .unhealthy: "unhealthy"]
            members["Health"] = .object([
                "Status": .string(names[status.health] ?? ""),
                "FailingStreak": .integer(Int64(status.failingStreak)),
                "Log": .array(status.probes.map { probe in
                    .object(["Start": Self.time(probe.start), "End": Self.time(probe.end), "ExitCode": .integer(Int64(probe.status)),
                             "Output": .string(probe.output)])
                }),
            ])
        }
        return .object(members)
    }

    private var config: JSONValue {
        let configuration = record.configuration
        var members: [String: JSONValue] = [
            "Hostname": .string(configuration.hostname),
            "User": .string(configuration.user),
            "Tty": .bool(configuration.hasTerminal),
            "OpenStdin": .bool(configuration.hasInput),
            "Env": Self.list(configuration.environment),
            "Cmd": Self.list(configuration.command),
            "Entrypoint": Self.list(configuration.entrypoint),
            "Image": .string(record.image),
            "WorkingDir": .string(configuration.workingDirectory),
            "Labels": Self.texts(configuration.labels),
            "Annotations": Self.texts(configuration.annotations),
            "StopSignal": .string(LinuxSignals.name(configuration.stopSignal)),
            "StopTimeout": .integer(Int64(configuration.stopTimeout)),
            "Volumes": .object(Dictionary(configuration.volumes.map { ($0, .object([:])) }) { first, _ in first }),
        ]
        if let health = configuration.health {
            func nanoseconds(_ milliseconds: UInt64) -> JSONValue { .integer(Int64(clamping: milliseconds * 1_000_000)) }
            members["Healthcheck"] = .object([
                "Test": Self.list(["CMD"] + health.command), "Interval": nanoseconds(health.interval), "Timeout": nanoseconds(health.timeout),
                "StartPeriod": nanoseconds(health.startPeriod), "Retries": .integer(Int64(health.retries)),
            ])
        }
        return .object(members)
    }

    private var hostConfig: JSONValue {
        let configuration = record.configuration
        let (restart, count): (String, UInt32) = switch configuration.restart {
        case .never: ("no", 0)
        case .onFailure(let maximum): ("on-failure", maximum ?? 0)
        case .always: ("always", 0)
        case .unlessStopped: ("unless-stopped", 0)
        }
        return .object([
            "AutoRemove": .bool(record.isTemporary),
            "Binds": .array(configuration.mounts.compactMap(\.bind).map { .string($0) }),
            "NetworkMode": .string(configuration.network.text),
            "Memory": .integer(Int64(clamping: configuration.memory)),
            "CpuCount": .integer(Int64(configuration.processors)),
            "PidsLimit": .integer(Int64(configuration.processLimit)),
            "ShmSize": .integer(Int64(clamping: configuration.sharedMemory)),
            "ReadonlyRootfs": .bool(configuration.isRootReadOnly),
            "Init": .bool(configuration.hasInit),
            "CapAdd": Self.list([]),
            "Capabilities": Self.list(configuration.capabilities.map { "CAP_" + $0 }),
            "SecurityOpt": Self.list(configuration.hasNoNewPrivileges ? ["no-new-privileges"] : []),
            "GroupAdd": Self.list(configuration.additionalGroups),
            "Dns": Self.list(configuration.dnsServers),
            "DnsSearch": Self.list(configuration.dnsDomains),
            "DnsOptions": Self.list(configuration.dnsOptions),
            "ExtraHosts": .array(configuration.hosts.map { .string("\($0.name):\($0.address ?? "host-gateway")") }),
            "Sysctls": Self.texts(configuration.sysctls),
            "Ulimits": .array(configuration.limits.map { limit in
                .object(["Name": .string("RLIMIT_" + limit.name.uppercased()), "Soft": .integer(Int64(bitPattern: limit.soft)),
                         "Hard": .integer(Int64(bitPattern: limit.hard))])
            }),
            "RestartPolicy": .object(["Name": .string(restart), "MaximumRetryCount": .integer(Int64(count))]),
            "PortBindings": ports,
            "Kernel": .string(configuration.kernel ?? ""),
            "LogConfig": .object([
                "Type": .string(configuration.log.isKept ? "json-file" : "none"),
                "Config": .object(["max-size": .string("\(configuration.log.maximumSize)"), "max-file": .string("\(configuration.log.maximumFiles)")]),
            ]),
        ])
    }

    var ports: JSONValue {
        var bindings: [String: JSONValue] = [:]
        for port in record.configuration.ports {
            let key = "\(port.container)/\(port.transport.rawValue)"
            let binding = JSONValue.object(["HostIp": .string(port.address ?? ""), "HostPort": .string("\(port.host)")])
            if case .array(let others)? = bindings[key] { bindings[key] = .array(others + [binding]) } else { bindings[key] = .array([binding]) }
        }
        return .object(bindings)
    }
}

extension ContainerPort {
    /// For example "0.0.0.0:8080->80/tcp".
    var text: String { "\(address ?? "0.0.0.0"):\(host)->\(container)/\(transport.rawValue)" }
}

extension ContainerMount {
    fileprivate func details(_ volumes: [String: String]) -> JSONValue {
        func object(_ type: String, source: String, _ options: MountOptions, _ others: [String: JSONValue] = [:]) -> JSONValue {
            let known: [(MountOptions, String)] = [(.noSetID, "nosuid"), (.noDevices, "nodev"), (.noExecution, "noexec")]
            return .object([
                "Type": .string(type), "Source": .string(source), "Destination": .string(destination), "RW": .bool(!options.contains(.readOnly)),
                "Mode": .string(""), "Propagation": .string(""),
                "Options": .array(known.filter { options.contains($0.0) }.map { .string($0.1) }),
            ].merging(others) { $1 })
        }
        switch self {
        case .bind(let source, _, let options, _): return object("bind", source: source, options)
        case .volume(let mount):
            let name = mount.name ?? ""
            return object("volume", source: volumes[name] ?? "", mount.options, ["Name": .string(name), "Driver": .string("local")])
        case .temporary(_, let size, _, let options):
            return object("tmpfs", source: "tmpfs", options, ["Size": .integer(Int64(clamping: size))])
        }
    }

    fileprivate var bind: String? {
        switch self {
        case .bind(let source, let destination, let options, _): "\(source):\(destination):\(options.contains(.readOnly) ? "ro" : "rw")"
        case .volume(let mount): "\(mount.name ?? ""):\(mount.destination):\(mount.options.contains(.readOnly) ? "ro" : "rw")"
        case .temporary: nil
        }
    }
}
