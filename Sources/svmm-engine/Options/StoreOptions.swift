import ArgumentParser
import CommandSupport
import LinuxSystem
import OCI

/// Where images and containers are kept: for all commands of the container half.
struct StoreOptions: ParsableArguments {
    @Option(help: ArgumentHelp(
        "Directory of images and containers (default: $SVMM_ROOT, else /var/lib/svmm for root, ~/.local/share/svmm for others).",
        valueName: "dir"),
            transform: { text in
                // The working directory, of which nobody thinks where a variable of a script is empty.
                guard !text.isEmpty else { throw Expected("a directory") }
                return text
            })
    var root: String?

    /// The directory, absolute: later parts of the command may run in another one.
    func directory() throws -> String {
        try absolutePath(try root ?? Self.standardDirectory())
    }

    /// The store, which is made where it is missing.
    func imageStore() throws -> ImageStore {
        let directory = try directory()
        do throws(Errno) {
            try makeDirectories(directory, permissions: 0o700)
        } catch {
            throw ImageError.file(path: directory, error)
        }
        return try ImageStore(root: directory)
    }

    /// Where it is when nobody says: /var/lib/svmm for root, in the user's data directory for others.
    static func standardDirectory(
        user: UInt32 = CurrentProcess.user, variable: (String) -> String? = { CurrentProcess.variable($0) }
    ) throws -> String {
        func value(_ name: String) -> String? { variable(name).flatMap { $0.isEmpty ? nil : $0 } }
        if let directory = value("SVMM_ROOT") { return directory }
        if user == 0 { return "/var/lib/svmm" }
        if let data = value("XDG_DATA_HOME"), data.hasPrefix("/") { return "\(data)/svmm" }
        guard let home = value("HOME") else { throw NoHome() }
        return "\(home)/.local/share/svmm"
    }

    struct NoHome: Error, CustomStringConvertible {
        let description = "nowhere to keep images: $HOME is not set; give --root DIR or set SVMM_ROOT"
    }
}
