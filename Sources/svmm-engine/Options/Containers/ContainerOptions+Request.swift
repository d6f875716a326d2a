import CommandSupport
import Containers
import LinuxSystem

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
            request.network = try ContainerNetwork.parse(network)
            (request.ports, request.publishesExposedPorts) = (publish.flatMap { $0 }, publishAll)
            (request.address, request.address6, request.macAddress, request.networkAliases) = (ip, ip6, macAddress, networkAlias)
            request.dnsServers = try Self.list(dns).map { server throws(Expected) in
                guard HostEntry.isAddress(server) else { throw Expected("--dns ADDRESS, found '\(server)'") }
                return server
            }
            request.dnsDomains = try Self.words(dnsSearch, of: "--dns-search")
            request.dnsOptions = try Self.words(dnsOption, of: "--dns-option")
            request.hosts = addHost.flatMap { $0 }
            (request.memory, request.processors, request.processLimit) = (memory, cpus, pidsLimit)
            request.sharedMemory = shmSize
            request.labels = try EnvironmentOptions.pairs(label)
            request.annotations = try EnvironmentOptions.pairs(annotation)
            (request.stopSignal, request.stopTimeout, request.restart) = (stopSignal, stopTimeout, restart)
            request.limits = ulimit
            request.sysctls = try EnvironmentOptions.sysctls(sysctl)
            (request.addedCapabilities, request.droppedCapabilities) = (Self.list(capAdd), Self.list(capDrop))
            for case .noNewPrivileges(let isAsked) in securityOpt { request.hasNoNewPrivileges = isAsked }
            request.kernel = try kernel.map { path throws(Expected) in try Self.kernel(path) }
            request.isCold = cold
            request.health = try health.request
            request.log = try ContainerLog(driver: logDriver, options: logOpt)
            return request
        }
    }

    /// Several in one argument have commas between them.
    private static func list(_ texts: [String]) -> [String] {
        texts.flatMap { $0.split(separator: ",").map(String.init) }
    }

    /// What stands in a line of resolv.conf: a space would make two of it, and a line feed another line.
    private static func words(_ texts: [String], of option: String) throws(Expected) -> [String] {
        let words = list(texts)
        for word in words where word.unicodeScalars.contains(where: { $0.properties.isWhitespace || $0.properties.generalCategory == .control }) {
            throw Expected("\(option) with a word without spaces and control characters, found '\(word)'")
        }
        return words
    }

    /// A path that means the same later; whether it is a kernel shows at the start.
    static func kernel(_ text: String) throws(Expected) -> String {
        guard let path = try? absolutePath(text) else { throw Expected("--kernel with an absolute path: the working directory is gone") }
        var isFile = false
        do throws(Errno) {
            isFile = try fileStatus(at: path).kind == .regular
            // To open what is no file may take long.
            if isFile { _ = try FileDescriptor.open(path, .readOnly) }
        } catch {
            throw Expected("--kernel FILE that can be read, found '\(text)': \(error)")
        }
        guard isFile else { throw Expected("--kernel FILE, found '\(text)', which is no regular file") }
        return path
    }
}
