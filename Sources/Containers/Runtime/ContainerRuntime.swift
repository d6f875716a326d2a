import AgentProtocol
import ContainerProtocol
import LinuxSystem

/// Containers, each in a virtual machine of its own: the store that they are in, and what can be done with them.
///
/// There is no daemon: a container that runs is a process, its monitor, which outlives the one that started it. Any number of runtimes, in
/// any number of processes, may use a store at the same time. All methods may be called from any task; those that wait do so on threads
/// of their own. Errors are `ContainerError`s of one line.
///
/// A container is named by its name, its identifier or the beginning of that, wherever a `String` is taken for one.
public struct ContainerRuntime: Sendable {
    let store: ContainerStore
    let images: any ContainerImages
    /// nil: found when a container is started.
    let programs: EnginePrograms?

    /// Opens a store, and puts right in it what killed processes have left.
    ///
    /// - Parameters:
    ///   - root: the store's directory, absolute, made if it is missing; nil: `defaultRoot`.
    ///   - runtime: the directory of sockets; nil: `defaultRuntimeDirectory`. Its path is short: those of sockets are at most 107 bytes long.
    ///   - programs: what containers are run with; nil: where svmm is installed.
    public init(
        root: String? = nil, runtime: String? = nil, images: any ContainerImages, programs: EnginePrograms? = nil
    ) async throws(ContainerError) {
        let root = if let root { root } else { try Self.defaultRoot() }
        let runtime = runtime ?? Self.defaultRuntimeDirectory
        store = try await BlockingWork.run { () throws(ContainerError) in
            let store = try ContainerStore(root: root, runtime: runtime)
            try store.repair()
            return store
        }
        self.images = images
        self.programs = programs
    }

    /// /var/lib/svmm for root; $XDG_DATA_HOME/svmm or ~/.local/share/svmm for others.
    public static func defaultRoot() throws(ContainerError) -> String {
        if CurrentProcess.user == 0 { return "/var/lib/svmm" }
        if let data = CurrentProcess.variable("XDG_DATA_HOME"), data.hasPrefix("/") { return data + "/svmm" }
        guard let home = CurrentProcess.variable("HOME"), home.hasPrefix("/") else {
            throw .failed("neither XDG_DATA_HOME nor HOME is set: expected --root or SVMM_ROOT with a directory for images and containers")
        }
        return home + "/.local/share/svmm"
    }

    /// /run/svmm/containers for root; $XDG_RUNTIME_DIR/svmm/containers or /tmp/svmm-UID/containers for others.
    public static var defaultRuntimeDirectory: String {
        let user = CurrentProcess.user
        if user == 0 { return "/run/svmm/containers" }
        if let directory = CurrentProcess.variable("XDG_RUNTIME_DIR"), directory.hasPrefix("/") { return directory + "/svmm/containers" }
        return "/tmp/svmm-\(user)/containers"
    }

    /// The container's record.
    func record(_ container: String) async throws(ContainerError) -> ContainerRecord {
        try await BlockingWork.run { () throws(ContainerError) in try store.database.find(container) }
    }
}

/// How a container's main process, or another in it, ended.
public struct ContainerExit: Sendable, Equatable {
    /// 0...255; 128 and the number of the signal that ended it.
    public var status: Int32
    public var wasOutOfMemory: Bool

    public init(status: Int32, wasOutOfMemory: Bool = false) {
        self.status = status
        self.wasOutOfMemory = wasOutOfMemory
    }
}
