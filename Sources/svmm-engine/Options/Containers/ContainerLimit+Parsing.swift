import CommandSupport
import Containers

extension ContainerLimit {
    /// `--ulimit NAME=SOFT[:HARD]`; -1 and `unlimited` are no limit.
    init(parsing text: String) throws(Expected) {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2, Containers.ResourceLimits.number(parts[0]) != nil else {
            throw Expected("NAME=SOFT[:HARD] with a NAME of \(Containers.ResourceLimits.names.joined(separator: ", ")), found '\(text)'")
        }
        let values = parts[1].split(separator: ":", omittingEmptySubsequences: false).compactMap { Self.value($0) }
        let count = parts[1].split(separator: ":", omittingEmptySubsequences: false).count
        guard (1...2).contains(count), values.count == count, let soft = values.first, let hard = values.last else {
            throw Expected("\(parts[0])=SOFT[:HARD] with numbers or unlimited, found '\(text)'")
        }
        guard soft <= hard else { throw Expected("a soft limit that is not above the hard one, found '\(text)'") }
        self.init(name: parts[0], soft: soft, hard: hard)
    }

    private static func value(_ text: Substring) -> UInt64? {
        text == "-1" || text == "unlimited" ? .max : text.utf8.allSatisfy { (48...57).contains($0) } ? UInt64(text) : nil
    }
}

extension ContainerRestart {
    /// `--restart no|never|always|unless-stopped|on-failure[:N]`.
    init(parsing text: String) throws(Expected) {
        switch text {
        case "no", "never", "": self = .never
        case "always": self = .always
        case "unless-stopped": self = .unlessStopped
        case "on-failure": self = .onFailure(maximum: nil)
        default:
            guard text.hasPrefix("on-failure:"), let count = UInt32(text.dropFirst("on-failure:".count)) else {
                throw Expected("no, always, unless-stopped or on-failure[:N], found '\(text)'")
            }
            self = .onFailure(maximum: count == 0 ? nil : count)
        }
    }
}

extension ContainerLog {
    /// `--log-driver json-file|none`, `--log-opt max-size=SIZE`, `--log-opt max-file=N`.
    init(driver: String?, options: [String]) throws(Expected) {
        self.init()
        switch driver {
        case nil, "json-file", "k8s-file": break
        case "none": isKept = false
        case let other?: throw Expected("--log-driver json-file or none, found '\(other)'")
        }
        for option in options {
            if option.hasPrefix("max-size=") {
                let text = String(option.dropFirst("max-size=".count))
                maximumSize = text == "-1" ? 0 : try Sizes.bytes(text)
                guard maximumSize == 0 || maximumSize >= 4096 else { throw Expected("--log-opt max-size of at least 4k, found '\(text)'") }
            } else if option.hasPrefix("max-file="), let count = UInt8(option.dropFirst("max-file=".count)), (1...100).contains(count) {
                maximumFiles = count
            } else {
                throw Expected("--log-opt max-size=SIZE or max-file=N of 1 to 100, found '\(option)'")
            }
        }
    }
}
