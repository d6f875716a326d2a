import AgentCore
import AgentProtocol

/// Finds paths inside a directory that is the root of what may be reached, whatever symbolic links lie on the way: an absolute one starts at
/// that root again, and ".." goes no higher. What is missing is made.
///
/// For trees that nobody changes at the same time; where that can be, the kernel has to resolve (`openInside`).
struct Resolver {
    /// Absolute, without symbolic links.
    let root: String

    enum Kind {
        case directory, file
    }

    /// What a path leads to, as a path without symbolic links below `root`.
    ///
    /// - Parameter making: what is made where there is nothing; nil: nothing, and then the result is nil.
    func find(_ path: String, making kind: Kind?) throws(AgentFailure) -> Place? {
        var waiting = Array(PathName.components(Array(path.utf8)).reversed())
        var found: [[UInt8]] = []
        var links = 0
        while let component = waiting.popLast() {
            if PathName.isParent(component) {
                _ = found.popLast()
                continue
            }
            found.append(component)
            let here = absolute(found)
            var status = stat()
            if CPath(here)({ lstat($0, &status) }) != 0 {
                let error = Errno.current
                guard error.code == ENOENT else { throw failure(path, error) }
                guard let kind else { return nil }
                do throws(Errno) {
                    try make(here, waiting.isEmpty ? kind : .directory)
                } catch {
                    throw failure(path, error)
                }
                continue
            }
            guard status.kind == .link else { continue }
            links += 1
            guard links <= 40 else { throw failure(path, Errno(code: ELOOP)) }
            let target = linkTarget(here)
            guard !target.isEmpty else { throw failure(path, Errno(code: ENOENT)) }
            if target.first == UInt8(ascii: "/") { found = [] } else { _ = found.popLast() }
            waiting += PathName.components(target).reversed()
        }
        return try Place(absolute(found), in: path)
    }

    private func absolute(_ components: [[UInt8]]) -> [UInt8] {
        Array(root.utf8) + components.flatMap { [UInt8(ascii: "/")] + $0 }
    }

    private func make(_ path: [UInt8], _ kind: Kind) throws(Errno) {
        switch kind {
        case .directory: try check(CPath(path) { mkdir($0, 0o755) })
        case .file: close(try descriptor(CPath(path) { agent_open($0, O_CREAT | O_EXCL | O_WRONLY, 0o644) }))
        }
    }

    private func failure(_ path: String, _ error: Errno) -> AgentFailure {
        AgentFailure(.failed, "`\(path)` in the container: \(error.text)")
    }

    /// Something found, held by a descriptor.
    final class Place {
        let file: Int32
        let isDirectory: Bool
        /// Without symbolic links.
        let path: [UInt8]

        fileprivate init(_ path: [UInt8], in name: String) throws(AgentFailure) {
            self.path = path
            file = CPath(path) { agent_open($0, AGENT_O_PATH | O_NOFOLLOW, 0) }
            var status = stat()
            guard file >= 0, fstat(file, &status) == 0 else {
                throw AgentFailure(.failed, "`\(name)` in the container: \(Errno.current.text)")
            }
            isDirectory = status.kind == .directory
        }

        deinit { close(file) }

        /// A name for system calls that take no descriptor.
        var name: String { "/proc/self/fd/\(file)" }
    }
}

/// The target of a symbolic link; empty when there is none.
func linkTarget(_ path: [UInt8]) -> [UInt8] {
    var target = [UInt8](repeating: 0, count: 4096)
    let count = CPath(path) { path in target.withUnsafeMutableBytes { readlink(path, $0.baseAddress, $0.count) } }
    return count > 0 ? Array(target[..<count]) : []
}
