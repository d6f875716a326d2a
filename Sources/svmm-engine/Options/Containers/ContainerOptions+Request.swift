import CommandSupport
import Containers

extension ContainerOptions {
    /// What the options ask for.
    var request: ContainerRequest {
        get throws(Expected) {
            var request = ContainerRequest(image: imageName)
            request.command = Array(words.dropFirst())
            request.entrypoint = try entrypoint.map { text throws(Expected) in
                text.isEmpty ? [] : Words.isList(text) ? try Words.list(text) : [text]
            }
            request.name = name
            request.environment = try EnvironmentOptions.combine(files: envFile, variables: env)
            (request.user, request.additionalGroups, request.workingDirectory) = (user, groupAdd, workdir)
            request.hostname = hostname
            (request.hasInput, request.hasTerminal, request.isTemporary) = (interactive, tty, remove)
            (request.hasInit, request.isRootReadOnly) = (hasInit, readOnly)
            request.mounts = volume + mount + tmpfs
            (request.network, request.ports, request.address) = (network, publish.flatMap { $0 }, ip)
            request.dnsServers = try Self.list(dns).map { server throws(Expected) in
                guard HostEntry.isAddress(server) else { throw Expected("--dns ADDRESS, found '\(server)'") }
                return server
            }
            (request.dnsDomains, request.dnsOptions) = (Self.list(dnsSearch), Self.list(dnsOption))
            request.hosts = addHost.flatMap { $0 }
            (request.memory, request.processors, request.processLimit) = (memory, cpus, pidsLimit)
            request.sharedMemory = shmSize
            request.labels = try EnvironmentOptions.pairs(label)
            request.annotations = try EnvironmentOptions.pairs(annotation)
            (request.stopSignal, request.stopTimeout, request.restart) = (stopSignal, stopTimeout, restart)
            request.limits = ulimit
            request.sysctls = try EnvironmentOptions.sysctls(sysctl)
            (request.addedCapabilities, request.droppedCapabilities) = (Self.list(capAdd), Self.list(capDrop))
            request.hasNoNewPrivileges = securityOpt.last ?? false
            if let kernel {
                guard let path = try? absolutePath(kernel) else { throw Expected("--kernel with an absolute path: the working directory is gone") }
                request.kernel = path
            }
            request.health = try health.request
            request.log = try ContainerLog(driver: logDriver, options: logOpt)
            return request
        }
    }

    /// Several in one argument have commas between them.
    private static func list(_ texts: [String]) -> [String] {
        texts.flatMap { $0.split(separator: ",").map(String.init) }
    }
}
