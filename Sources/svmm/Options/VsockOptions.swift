import CommandSupport
import MachineProtocol

extension VsockDescription {
    /// `--vsock user[,path=PATH]|vhost[,cid=N]`.
    init(parsing argument: String) throws(Expected) {
        self.init()
        let words = argument.split(separator: ",", omittingEmptySubsequences: false)
        switch words.first {
        case "user": backend = .user(path: nil)
        case "vhost": backend = .vhost
        default: throw Expected("user[,path=PATH][,cid=N] or vhost[,cid=N]")
        }
        for word in words.dropFirst() {
            if word.hasPrefix("cid=") {
                contextID = try number(String(word.dropFirst("cid=".count)), in: Self.contextIDs, unit: " after cid=")
            } else if word.hasPrefix("path="), word.utf8.count > "path=".utf8.count, case .user = backend {
                backend = .user(path: String(word.dropFirst("path=".count)))
            } else {
                throw Expected("\(words[0] == "user" ? "path=PATH or " : "")cid=N after \(words[0]), found '\(word)'")
            }
        }
    }

    /// `--vsock-ports N[,N]…`.
    static func ports(parsing argument: String) throws(Expected) -> [UInt32] {
        var ports: [UInt32] = []
        for word in argument.split(separator: ",", omittingEmptySubsequences: false) {
            let port = try number(String(word), in: Self.ports, unit: " for each port")
            guard !ports.contains(port) else { throw Expected("each port once, found \(port) again") }
            ports.append(port)
        }
        guard ports.count <= maximumForwardedPorts else {
            throw Expected("at most \(maximumForwardedPorts) ports, found \(ports.count)")
        }
        return ports
    }
}
