import AgentProtocol
import ContainerProtocol
import LinuxSystem
import MachineProtocol
import Networks

extension ContainerRuntime {
    /// What `warm` has found or made.
    public struct Template: Sendable, Equatable {
        /// Name in the store's directory `templates`.
        public var name: String
        /// Whether it was there already.
        public var isOld: Bool
    }

    /// Makes the template of the machine that such a container would have, so that the first one does not boot either. Takes as long as
    /// that boot.
    ///
    /// - Parameters:
    ///   - request: memory, processors, network and kernel count.
    ///   - hasShares: whether the container has bind mounts.
    public func warm(_ request: ContainerRequest, hasShares: Bool) async throws(ContainerError) -> Template {
        try await BlockingWork.run { () throws(ContainerError) in
            var request = request
            // Of the container there will be none.
            request.command = ["none"]
            let configuration = try ContainerConfiguration(request, image: ImageSettings(), identifier: try ContainerIdentifier.random(),
                                                           host: .current())
            let programs = if let given = self.programs { given } else { try EnginePrograms.find(kernel: configuration.kernel) }
            for file in [configuration.kernel ?? programs.kernel, programs.agent, programs.monitor] {
                _ = try onFile(file) { () throws(Errno) in try fileStatus(at: file) }
            }
            return try makeTemplate(configuration, programs, hasShares: hasShares)
        }
    }

    private func makeTemplate(
        _ configuration: ContainerConfiguration, _ programs: EnginePrograms, hasShares: Bool
    ) throws(ContainerError) -> Template {
        let templates = MachineTemplates(store: store.root)
        let (folder, runtime) = (templates.directory, store.runtime)
        let alone = try onFile(folder) { () throws(Errno) in
            try makeDirectories(folder, permissions: 0o700)
            // One after the other: what the second one wants, the first may have made.
            let alone = try FileDescriptor.open(folder, [.readOnly, .directory])
            try alone.waitForLock(shared: false)
            return alone
        }
        defer { try? alone.unlock() }
        try onFile(runtime) { () throws(Errno) in try makeDirectories(runtime, permissions: 0o700) }
        // The same one each time: what a killed one has left is taken over.
        let paths = ContainerPaths(directory: folder, runDirectory: "\(runtime)/warm-\(MachineTemplates.digest(store.root))")
        var machine = MachineDescription(configuration, paths: paths, programs: programs, rootDisk: "",
                                         mac: NetworkDescription.mac(machine: folder, index: 0))
        for index in machine.disks.indices { (machine.disks[index].path, machine.disks[index].isPlaceholder) = ("", true) }
        if hasShares {
            machine.shares = [ShareDescription(path: folder, tag: SandboxConfiguration.Devices.shares,
                                               name: SandboxConfiguration.Devices.share(0), readOnly: true)]
        }
        let taps = try attachTaps(configuration, to: &machine)
        // Not none: the device is one of those that make the kind.
        machine.console = .file("/dev/null")
        templates.apply(to: &machine, monitor: programs.monitor)
        if let old = machine.restore { return Template(name: Self.name(old.directory), isOld: true) }
        guard let new = machine.template else { throw .failed("\(folder): no template can be made there") }
        try MonitorProcess.makeTemplate(programs.monitor, machine: machine, taps: taps)
        return Template(name: Self.name(new), isOld: false)
    }

    /// TAPs that lead nowhere: what is on the other side is no part of the kind.
    private func attachTaps(_ configuration: ContainerConfiguration, to machine: inout MachineDescription) throws(ContainerError) -> [HostTap] {
        guard case .attached(let attachments) = configuration.network else { return [] }
        var taps: [HostTap] = []
        for attachment in attachments {
            guard case .network(let name) = attachment.kind else {
                throw .invalid("--network \(attachment.place): only a container tells what interfaces it has there, expected the name of a network, none or user")
            }
            let mtu = try store.networks.find(name).mtu
            machine.interfaces.append(NetworkDescription(
                .descriptor(4 + Int32(taps.count)), mac: NetworkDescription.mac(machine: machine.stateDirectory ?? name, index: taps.count),
                mtu: mtu == 1500 ? nil : mtu))
            taps.append(try onNetworks { () throws(NetworkError) in try store.networks.host.makeTap() })
        }
        return taps
    }

    private static func name(_ path: String) -> String { String(path[path.index(after: path.lastIndex(of: "/") ?? path.startIndex)...]) }
}
