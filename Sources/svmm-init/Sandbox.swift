import AgentCore
import AgentProtocol

/// What a container finds around it.
///
/// In the agent's own namespace `container` shows what the container sees, but for /proc and what its PID and cgroup namespaces decide: that the
/// first process mounts (`enter`). `overlay` is its root file system with nothing mounted below it.
final class Sandbox {
    static let container = "/container"
    static let overlay = "/overlay"
    static let image = "/image"
    static let writable = "/writable"
    static let volumes = "/volumes"
    static let deviceShares = "/shares"

    let configuration: SandboxConfiguration
    let cgroup: ControlGroup
    /// The directory of the container's pseudoterminals.
    private(set) var terminals: Int32 = -1
    /// The container's root, as the agent sees it.
    private(set) var root: Int32 = -1
    /// Shares' devices that are mounted, by their tags.
    var shares: [String] = []
    /// Disks that are mounted as volumes, by their serial numbers, and where.
    var disks: [(serial: String, place: String)] = []
    /// Of `configuration.mounts`, those that only the first process can mount: they lie below what it mounts.
    var lateMounts: [Volume] = []

    var resolver: Resolver { Resolver(root: Self.container) }

    /// - Parameter progress: called from time to time while something that takes long goes on.
    init(_ configuration: SandboxConfiguration, _ progress: () -> Void) throws(AgentFailure) {
        self.configuration = configuration
        if configuration.time != 0 { _ = agent_set_clock(configuration.time) }
        guard configuration.seed.isEmpty || configuration.seed.withUnsafeBytes({ agent_reseed($0.baseAddress, $0.count) }) == 0 else {
            throw AgentFailure(.failed, "the kernel does not take random bytes: \(Errno.current.text)")
        }
        cgroup = try ControlGroup(processLimit: configuration.processLimit)
        try mountRoot()
        try mountKernelFileSystems()
        try setIdentity()
        try configureNetwork()
        try setKernelParameters()
        try mountFiles()
        try mountVolumes(progress)
        if configuration.root.isReadOnly {
            // Where the first process mounts there has to be something.
            _ = try resolver.find("/proc", making: .directory)
            try remount(Self.container, Int32(MS_RDONLY))
        }
        root = agent_open(Self.container, AGENT_O_PATH | O_DIRECTORY, 0)
    }

    private func mountRoot() throws(AgentFailure) {
        let root = configuration.root
        for path in [Self.image, Self.writable, Self.overlay, Self.container] { makeDirectory(path) }
        let image = try disk(root.imageDisk)
        let type = fileSystemType(image)
        // Without its journal, which a read-only disk could not replay.
        try mountFileSystem(type, image, on: Self.image, Int32(MS_RDONLY), type == "ext4" ? "noload" : "", as: "the image")
        if let serial = root.writableDisk {
            try mountFileSystem("ext4", try disk(serial), on: Self.writable, 0, "", as: "the container's layer")
        } else {
            try mountFileSystem("tmpfs", "writable", on: Self.writable, 0, "mode=755", as: "the container's layer")
        }
        makeDirectory(Self.writable + "/upper")
        makeDirectory(Self.writable + "/work")
        // Renamed directories of the image stay cheap, and all files show one device number. Nothing ties the layer to the image's
        // identity: one that was unpacked anew is as good.
        try mountFileSystem(
            "overlay", "overlay", on: Self.overlay, 0,
            "lowerdir=\(Self.image),upperdir=\(Self.writable)/upper,workdir=\(Self.writable)/work,xino=auto,redirect_dir=on,index=off,"
                + "metacopy=off", as: "the container's root")
        try bind(Self.overlay, on: Self.container)
    }

    private func mountKernelFileSystems() throws(AgentFailure) {
        let safe = Int32(MS_NOSUID | MS_NODEV | MS_NOEXEC)
        try mountInside("sysfs", "/sys", safe | Int32(MS_RDONLY))
        try mountInside("tmpfs", "/dev", Int32(MS_NOSUID | MS_STRICTATIME), "mode=755,size=65536k")
        try makeDevices()
        try mountInside("devpts", "/dev/pts", Int32(MS_NOSUID | MS_NOEXEC), "newinstance,ptmxmode=0666,mode=0620,gid=5")
        terminals = agent_open(Self.container + "/dev/pts", AGENT_O_PATH | O_DIRECTORY, 0)
        try mountInside("tmpfs", "/dev/shm", safe, "mode=1777,size=\(configuration.sharedMemorySize)")
        try mountInside("mqueue", "/dev/mqueue", safe)
    }

    /// Mounts a file system inside the container, on a directory that is made if it is missing.
    func mountInside(_ type: String, _ path: String, _ flags: Int32, _ options: String = "") throws(AgentFailure) {
        guard let place = try resolver.find(path, making: .directory) else { return }
        try mountFileSystem(type, type, on: place.name, flags, options, as: path)
    }

    /// Changes the flags of what is mounted there.
    func remountInside(_ path: String, _ flags: Int32) throws(AgentFailure) {
        guard let place = try resolver.find(path, making: nil) else { return }
        try remount(place.name, flags)
    }

    private func makeDevices() throws(AgentFailure) {
        let devices = Self.container + "/dev/"
        let nodes: [(name: String, major: UInt32, minor: UInt32)] = [
            ("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0),
        ]
        for node in nodes {
            guard mknod(devices + node.name, 0o020666, agent_device(node.major, node.minor)) == 0,
                  chmod(devices + node.name, 0o666) == 0
            else { throw AgentFailure(.failed, "/dev/\(node.name) in the container: \(Errno.current.text)") }
        }
        let links = [("fd", "/proc/self/fd"), ("stdin", "/proc/self/fd/0"), ("stdout", "/proc/self/fd/1"),
                     ("stderr", "/proc/self/fd/2"), ("ptmx", "pts/ptmx"), ("core", "/proc/kcore")]
        for (name, target) in links { symlink(target, devices + name) }
    }

    /// Lets go of the container's file systems, so that they can be unmounted.
    func letGo() {
        if terminals >= 0 { close(terminals) }
        if root >= 0 { close(root) }
        terminals = -1
        root = -1
    }

    private func setIdentity() throws(AgentFailure) {
        let name = Array(configuration.hostname.utf8)
        guard name.isEmpty || sethostname(configuration.hostname, name.count) == 0 else {
            throw AgentFailure(.failed, "host name \(configuration.hostname): \(Errno.current.text)")
        }
        guard configuration.domainName.isEmpty
            || setdomainname(configuration.domainName, Array(configuration.domainName.utf8).count) == 0
        else { throw AgentFailure(.failed, "domain name \(configuration.domainName): \(Errno.current.text)") }
    }

    private func setKernelParameters() throws(AgentFailure) {
        for parameter in configuration.kernelParameters {
            guard let path = PathName.kernelParameter(Array(parameter.name.utf8)) else {
                throw AgentFailure(.failed, "kernel parameter `\(parameter.name)`: no such name")
            }
            do throws(Errno) {
                try writeFile("/proc/sys/" + text(path), parameter.value)
            } catch {
                throw AgentFailure(.failed, "kernel parameter \(parameter.name)=\(parameter.value): \(error.text)")
            }
        }
    }

    /// Puts files over the image's own, which may be links to files that do not exist yet.
    private func mountFiles() throws(AgentFailure) {
        makeDirectory("/files")
        for (index, file) in configuration.files.enumerated() {
            let source = "/files/\(index)"
            do throws(Errno) {
                let new = try openFile(source, O_CREAT | O_TRUNC | O_WRONLY, UInt32(file.mode))
                defer { close(new) }
                try writeAll(new, file.contents)
                try check(fchmod(new, mode_t(file.mode)))
            } catch {
                throw AgentFailure(.failed, "`\(file.path)`: \(error.text)")
            }
            guard let place = try resolver.find(file.path, making: .file) else { continue }
            try bind(source, on: place.name, as: file.path)
        }
    }
}
