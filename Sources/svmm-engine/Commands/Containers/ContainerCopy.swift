import ArgumentParser
import Containers
import LinuxSystem

struct ContainerCopy: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "cp", abstract: "Copy files from or to a container that runs.",
        discussion: """
            One of the two is CONTAINER:PATH, the other a path of the host, or - for a tar archive on standard output or input. A file or \
            directory is copied into a directory that exists, and to a new name otherwise; of PATH/. the contents alone. Owners are root in \
            the container and the caller on the host.
            """)

    @Flag(name: .shortAndLong, help: "Keep owners, and set-user-ID.")
    var archive = false

    @Flag(name: [.customShort("L"), .long], help: "A symbolic link that is named stands for where it leads.")
    var followLink = false

    @OptionGroup var store: StoreOptions

    @Argument(help: ArgumentHelp("What to copy.", valueName: "[container:]path"))
    var source: String

    @Argument(help: ArgumentHelp("Where to.", valueName: "[container:]path"))
    var destination: String

    func prepare() throws { ignoreWriteSignals() }

    func run() async throws {
        let (from, to) = (CopyEnd(source), CopyEnd(destination))
        var chosen = CopyOptions()
        (chosen.keepsOwners, chosen.followsLink) = (archive, followLink)
        let options = chosen
        try await Engine.run(store) { engine in
            switch (from, to) {
            case (.container(let name, let path), .host("-")):
                try await engine.runtime.archive(name, path: path) { bytes throws(ContainerError) in try StandardStreams.write(bytes) }
            case (.container(let name, let path), .host(let target)):
                let skipped = try await engine.runtime.copy(from: name, path: path, to: target, options: options)
                if skipped > 0 { printErrorLine("svmm: \(source): \(skipped) device nodes were left out") }
            case (.host("-"), .container(let name, let path)):
                try await engine.runtime.extract(into: name, path: path) { () throws(ContainerError) in try StandardStreams.read() }
            case (.host(let path), .container(let name, let target)):
                try await engine.runtime.copy(path, to: name, path: target, options: options)
            case (.host, .host): throw ContainerError(.invalid, "\(source) \(destination): expected CONTAINER:PATH as one of the two")
            case (.container, .container):
                throw ContainerError(.invalid, "\(source) \(destination): expected a path of the host as one of the two; copy by - in two steps")
            }
            return 0
        }
    }
}

/// One side of a copy.
enum CopyEnd: Equatable {
    case host(String)
    case container(String, String)

    /// A colon behind a name without slashes makes it a container's; ./a:b is a path.
    init(_ text: String) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        if parts.count == 2, !parts[0].isEmpty, !parts[0].contains("/"), !parts[0].hasPrefix(".") {
            // What is relative begins at the root, as in Docker.
            self = .container(parts[0], parts[1].hasPrefix("/") ? parts[1] : "/" + parts[1])
        } else {
            self = .host(text)
        }
    }
}

/// Bytes of standard input and output.
enum StandardStreams {
    static func write(_ bytes: [UInt8]) throws(ContainerError) {
        guard bytes.withUnsafeBytes({ writeWhatFits(1, $0) }) == bytes.count else {
            let error = Errno.current
            // The reader has gone, and wants no more: as with a program that SIGPIPE ends.
            if error == .brokenPipe { CurrentProcess.exitNow(141) }
            throw ContainerError(.failed, "standard output: \(error)")
        }
    }

    /// Empty at the end.
    static func read() throws(ContainerError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 64 << 10)
        guard let count = bytes.withUnsafeMutableBytes({ readWhenReady(0, into: $0) }) else {
            throw ContainerError(.failed, "standard input: \(Errno.current)")
        }
        bytes.removeLast(bytes.count - count)
        return bytes
    }
}
