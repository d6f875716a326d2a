import LinuxSystem

/// What a container is run with, found where `make install` puts it, or in the build tree.
public struct EnginePrograms: Sendable {
    /// svmm-vmm.
    public var monitor: String
    /// The guest's kernel.
    public var kernel: String
    /// The guest agent's initramfs.
    public var agent: String

    public init(monitor: String, kernel: String, agent: String) {
        self.monitor = monitor
        self.kernel = kernel
        self.agent = agent
    }

    /// Beside this executable, in ../libexec/svmm and ../share/svmm; `SVMM_KERNEL` and `SVMM_AGENT` name others.
    ///
    /// - Parameter kernel: where the user has chosen one, nobody looks for svmm's own.
    public static func find(kernel chosen: String? = nil) throws(ContainerError) -> EnginePrograms {
        let own = try onFile("/proc/self/exe") { () throws(Errno) in try CurrentProcess.executablePath() }
        let folder = own.lastIndex(of: "/").map { String(own[..<$0]) } ?? "."
        let monitors = ["\(folder)/svmm-vmm", "\(folder)/../libexec/svmm/svmm-vmm"]
        guard let monitor = monitors.first(where: isExecutable) else {
            throw .failed("svmm-vmm: not found; it is installed beside svmm or in ../libexec/svmm")
        }
        let shared = ["\(folder)/../share/svmm", "\(folder)/../../share/svmm", folder]
        let kernel = if let chosen { chosen } else {
            try find("kernel", "SVMM_KERNEL", shared.map { "\($0)/vmlinux" }, or: builtKernels,
                     "make kernel builds it, and make install puts it into share/svmm; --kernel names another")
        }
        // From .build/release or .build/debug, the build tree's own.
        let agent = try find("guest agent", "SVMM_AGENT", shared.map { "\($0)/agent.cpio" } + buildFolders(folder).map { "\($0)/agent/agent.cpio" },
                             "make build makes it, and make install puts it into share/svmm")
        return EnginePrograms(monitor: monitor, kernel: kernel, agent: agent)
    }

    private static func find(
        _ what: String, _ variable: String, _ places: [String], or others: () -> [String] = { [] }, _ advice: String
    ) throws(ContainerError) -> String {
        if let path = CurrentProcess.variable(variable), !path.isEmpty {
            guard path.hasPrefix("/"), isRegular(path) else {
                throw .failed("\(variable)=\(path): expected the absolute path of a file, the \(what)")
            }
            return path
        }
        guard let path = places.first(where: isRegular) ?? others().first(where: isRegular) else {
            throw .failed("\(what) not found at \(places.first ?? ""); \(advice)")
        }
        return path
    }

    private static func isRegular(_ path: String) -> Bool {
        (try? fileStatus(at: path))?.kind == .regular
    }

    /// .build, of .build/release and of .build/x86_64-unknown-linux-gnu/release.
    private static func buildFolders(_ folder: String) -> [String] { ["\(folder)/..", "\(folder)/../.."] }

    /// Where Kernel/build keeps kernels.
    private static func builtKernels() -> [String] {
        func absolute(_ variable: String) -> String? {
            CurrentProcess.variable(variable).flatMap { $0.hasPrefix("/") ? $0 : nil }
        }
        guard let base = absolute("SVMM_CACHE") ?? absolute("XDG_CACHE_HOME").map({ $0 + "/svmm" })
            ?? absolute("HOME").map({ $0 + "/.cache/svmm" }) else { return [] }
        return builtKernels(in: base + "/kernel")
    }

    /// The kernels in a cache, the one that was built last first; a finished one has its vmlinux.
    static func builtKernels(in cache: String) -> [String] {
        let entries = (try? names(inDirectory: cache)) ?? []
        let built = entries.compactMap { entry -> (path: String, time: FileTime)? in
            let path = "\(cache)/\(entry)/vmlinux"
            return (try? FileDescriptor.open(path, [.pathOnly]).attributes()).map { (path, $0.modified) }
        }
        return built.sorted { $0.time > $1.time }.map(\.path)
    }
}
