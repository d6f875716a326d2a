import AgentCore
import AgentProtocol

extension Sandbox {
    /// The rest of the mounts, for a process in PID, mount and cgroup namespaces of its own, and the change of its root.
    ///
    /// - Parameter terminal: the terminal that is to be /dev/console.
    func enter(terminal: Int32?) throws(AgentFailure) {
        let safe = Int32(MS_NOSUID | MS_NODEV | MS_NOEXEC)
        try mountInside("proc", "/proc", safe)
        try mountInside("cgroup2", "/sys/fs/cgroup", safe | Int32(MS_RDONLY))
        for volume in lateMounts { try attach(volume) }
        if let terminal { try mountConsole(terminal) }
        for path in configuration.readOnlyPaths {
            guard let place = try resolver.find(path, making: nil) else { continue }
            try bind(place.name, on: place.name, as: path)
            try remountInside(path, Int32(MS_RDONLY))
        }
        for path in configuration.maskedPaths {
            guard let place = try resolver.find(path, making: nil) else { continue }
            if place.isDirectory {
                try mountFileSystem("tmpfs", "tmpfs", on: place.name, Int32(MS_RDONLY), "size=0k", as: path)
            } else {
                try bind("/dev/null", on: place.name, as: path)
            }
        }
        // The old root goes below the new one, and away.
        guard chdir(Self.container) == 0, agent_pivot_root(".", ".") == 0, umount2(".", Int32(MNT_DETACH)) == 0, chdir("/") == 0 else {
            throw AgentFailure(.failed, "change of the root directory: \(Errno.current.text)")
        }
    }

    /// By its name in the container: of the descriptor the kernel knows that it was opened in another mount namespace.
    private func mountConsole(_ terminal: Int32) throws(AgentFailure) {
        var status = stat()
        guard fstat(terminal, &status) == 0, let place = try resolver.find("/dev/console", making: .file) else { return }
        try bind("\(Self.container)/dev/pts/\(agent_device_minor(status.st_rdev))", on: place.name, as: "/dev/console")
    }
}
