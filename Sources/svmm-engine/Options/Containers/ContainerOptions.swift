import ArgumentParser
import CommandSupport
import Containers
import Registry

/// Options of `svmm container create` and `run`.
struct ContainerOptions: ParsableArguments {
    @Flag(name: .shortAndLong, help: "Keep standard input open, and connect it where the container is in the foreground.")
    var interactive = false

    @Flag(name: .shortAndLong, help: "Give the process a terminal.")
    var tty = false

    @Flag(name: .customLong("rm"), help: "Remove the container when it has ended.")
    var remove = false

    @Option(help: ArgumentHelp("Name of the container. (default: two random words)", valueName: "name"))
    var name: String?

    @Option(name: [.customShort("e", allowingJoined: true), .long], parsing: .singleValue,
            help: ArgumentHelp("Environment variable; a name alone takes its value from here.", valueName: "name[=value]"))
    var env: [String] = []

    @Option(parsing: .singleValue, help: ArgumentHelp("File with environment variables, one a line.", valueName: "file"))
    var envFile: [String] = []

    @Option(name: [.customShort("v", allowingJoined: true), .long], parsing: .singleValue,
            help: ArgumentHelp("Directory or file of the host, or volume, that the container sees.", valueName: "hostpath|volume:path[:ro,…]"),
            transform: { try ContainerMount.parse(volume: $0) })
    var volume: [ContainerMount] = []

    @Option(parsing: .singleValue,
            help: ArgumentHelp("The same in words, or a file system in memory.", valueName: "type=volume|bind|tmpfs,source=…,destination=…"),
            transform: { try ContainerMount.parse(mount: $0) })
    var mount: [ContainerMount] = []

    @Option(parsing: .singleValue, help: ArgumentHelp("File system in memory.", valueName: "directory[:size=…,mode=…]"),
            transform: { try ContainerMount.parse(tmpfs: $0) })
    var tmpfs: [ContainerMount] = []

    @Option(name: [.customShort("p", allowingJoined: true), .long], parsing: .singleValue,
            help: ArgumentHelp("Port of the host that leads into the container.", valueName: "[[address:][host]:]container[/udp]"),
            transform: { try ContainerPort.parse($0) })
    var publish: [[ContainerPort]] = []

    @Flag(name: [.customShort("P"), .long], help: "Publish the ports that the image exposes, each at a free port of the host.")
    var publishAll = false

    @Option(name: [.long, .customLong("net")], parsing: .singleValue,
            help: ArgumentHelp(
                "none, user for a network by passt, or a network of svmm network; several for several interfaces. (default: user where passt is installed)",
                valueName: "none|user|name[:ip=…,ip6=…,mac=…,alias=…]|ns:path|cni:name"))
    var network: [String] = []

    @Option(help: ArgumentHelp("IPv4 address on the network.", valueName: "address"))
    var ip: String?

    @Option(help: ArgumentHelp("IPv6 address on the network.", valueName: "address"))
    var ip6: String?

    @Option(help: ArgumentHelp("Ethernet address on the network.", valueName: "address"), transform: { try NetworkAttachment.mac($0) })
    var macAddress: [UInt8]?

    @Option(parsing: .singleValue, help: ArgumentHelp("Further name on the network.", valueName: "name"),
            transform: { try NetworkAttachment.alias($0) })
    var networkAlias: [String] = []

    @Option(parsing: .singleValue, help: ArgumentHelp("Name server. (default: the host's)", valueName: "address"))
    var dns: [String] = []

    @Option(parsing: .singleValue, help: ArgumentHelp("Domain in which names are looked up.", valueName: "domain"))
    var dnsSearch: [String] = []

    @Option(name: [.long, .customLong("dns-opt")], parsing: .singleValue, help: ArgumentHelp("Option of resolv.conf.", valueName: "option"))
    var dnsOption: [String] = []

    @Option(parsing: .singleValue, help: ArgumentHelp("Line of /etc/hosts; host-gateway is the host.", valueName: "name:address"),
            transform: { try HostEntry.parse($0) })
    var addHost: [[HostEntry]] = []

    @Option(name: [.customShort("h"), .long], help: ArgumentHelp("Name of the machine. (default: the container's id)", valueName: "name"))
    var hostname: String?

    @Option(name: [.customShort("m", allowingJoined: true), .long], help: ArgumentHelp("Memory, 64M to 64G. (default: 512M)", valueName: "size"),
            transform: { try ContainerOptions.memory($0) })
    var memory: UInt64?

    @Option(help: ArgumentHelp("CPUs, 1 to 64. (default: as many as the host has, at most 4)", valueName: "n"),
            transform: { try number($0, in: 1...64, unit: " whole CPUs") })
    var cpus: Int?

    @Option(help: ArgumentHelp("Program in place of the image's; \"\" for none.", valueName: "command"))
    var entrypoint: String?

    @Option(name: [.customShort("u", allowingJoined: true), .long],
            help: ArgumentHelp("User, by name or number in the container.", valueName: "user[:group]"))
    var user: String?

    @Option(parsing: .singleValue, help: ArgumentHelp("Further group of the user.", valueName: "group"))
    var groupAdd: [String] = []

    @Option(name: [.customShort("w", allowingJoined: true), .long], help: ArgumentHelp("Working directory.", valueName: "directory"))
    var workdir: String?

    @Flag(help: "The container cannot change its root file system.")
    var readOnly = false

    @Flag(name: .customLong("init"), help: "Run a small init process that reaps orphans and passes signals on.")
    var hasInit = false

    @Option(name: [.customShort("l", allowingJoined: true), .long], parsing: .singleValue,
            help: ArgumentHelp("Label of the container.", valueName: "key[=value]"))
    var label: [String] = []

    @Option(parsing: .singleValue, help: ArgumentHelp("Annotation of the container.", valueName: "key[=value]"))
    var annotation: [String] = []

    @Option(help: ArgumentHelp("File that gets the container's id; it must not exist.", valueName: "file"))
    var cidfile: String?

    @Option(help: ArgumentHelp("Signal that ends the process in order. (default: the image's, or SIGTERM)", valueName: "signal"))
    var stopSignal: String?

    @Option(help: ArgumentHelp("Seconds between that signal and the end. (default: 10)", valueName: "seconds"),
            transform: { try number($0, in: 0...31_536_000, unit: " seconds") })
    var stopTimeout: UInt32?

    @Option(help: ArgumentHelp("When it is started again: no, always, unless-stopped or on-failure[:n]. (default: no)", valueName: "policy"),
            transform: { try ContainerRestart(parsing: $0) })
    var restart = ContainerRestart.never

    @Option(parsing: .singleValue, help: ArgumentHelp("Limit of the process, such as nofile=1024.", valueName: "name=soft[:hard]"),
            transform: { try ContainerLimit(parsing: $0) })
    var ulimit: [ContainerLimit] = []

    @Option(help: ArgumentHelp("Size of /dev/shm. (default: 64m)", valueName: "size"), transform: { try Sizes.bytes($0) })
    var shmSize: UInt64?

    @Option(parsing: .unconditional, help: ArgumentHelp("Processes at a time; -1 for no limit. (default: no limit)", valueName: "n"),
            transform: { try $0 == "-1" ? 0 : number($0, in: 0...UInt32.max, unit: ", or -1") })
    var pidsLimit: UInt32 = 0

    @Option(parsing: .singleValue, help: ArgumentHelp("Capability to add, or ALL.", valueName: "name"))
    var capAdd: [String] = []

    @Option(parsing: .singleValue, help: ArgumentHelp("Capability to take away, or ALL.", valueName: "name"))
    var capDrop: [String] = []

    @Option(parsing: .singleValue, help: ArgumentHelp("no-new-privileges: programs gain none by set-user-ID. What is off anyway, as label=disable, may be said.",
                               valueName: "option"),
            transform: { try ContainerOptions.securityOption($0) })
    var securityOpt: [SecurityOption] = []

    @Option(parsing: .singleValue, help: ArgumentHelp("Kernel parameter of the container.", valueName: "name=value"))
    var sysctl: [String] = []

    @Option(help: ArgumentHelp("Kernel to boot in place of svmm's own.", valueName: "path"))
    var kernel: String?

    @Flag(help: "Boot the container's machine, and do not start it from a template.")
    var cold = false

    @OptionGroup var health: HealthOptions

    @Option(help: ArgumentHelp("Where output is kept: json-file or none. (default: json-file)", valueName: "name"))
    var logDriver: String?

    @Option(parsing: .singleValue, help: ArgumentHelp("max-size=SIZE of a log file, max-file=N of them.", valueName: "option"))
    var logOpt: [String] = []

    @OptionGroup var image: ContainerImageOptions

    @OptionGroup var store: StoreOptions

    // One argument, as the parser takes an option that it does not know for the first word of what is passed on.
    @Argument(parsing: .captureForPassthrough,
              help: ArgumentHelp("Image, by name or id, and the command in place of its own.", valueName: "image [command [argument]...]"))
    var words: [String] = []

    var imageName: String { words.first ?? "" }

    func validate() throws {
        guard !words.isEmpty else { throw ValidationError("expected an image") }
        guard !imageName.hasPrefix("-") else { throw ValidationError("unknown option '\(imageName)'") }
    }

    static func memory(_ text: String) throws(Expected) -> UInt64 {
        let bytes = try Sizes.bytes(text, "64M to 64G")
        guard (64 << 20...64 << 30).contains(bytes), bytes % 4096 == 0 else { throw Expected("64M to 64G in whole pages of 4096 bytes, found '\(text)'") }
        return bytes
    }

    enum SecurityOption {
        case noNewPrivileges(Bool)
        /// What podman protects the host with is not needed: the machine is the boundary.
        case nothing
    }

    private static func securityOption(_ text: String) throws(Expected) -> SecurityOption {
        switch text {
        case "no-new-privileges", "no-new-privileges:true", "no-new-privileges=true": return .noNewPrivileges(true)
        case "no-new-privileges:false", "no-new-privileges=false": return .noNewPrivileges(false)
        case "seccomp=unconfined", "seccomp:unconfined", "apparmor=unconfined", "apparmor:unconfined": return .nothing
        case _ where text.hasPrefix("label=") || text.hasPrefix("label:"): return .nothing
        default:
            let known = "no-new-privileges, label=…, seccomp=unconfined or apparmor=unconfined"
            throw Expected("\(known), found '\(text)': a container's machine has its own kernel")
        }
    }
}

/// `--health-…`
struct HealthOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Command that tells whether the container does its work; none for no check.", valueName: "command"))
    var healthCmd: String?

    @Option(help: ArgumentHelp("Time between checks. (default: 30s)", valueName: "time"), transform: { try HealthOptions.time($0) })
    var healthInterval: UInt64?

    @Option(help: ArgumentHelp("Time that a check may take. (default: 30s)", valueName: "time"), transform: { try HealthOptions.time($0) })
    var healthTimeout: UInt64?

    @Option(help: ArgumentHelp("Time at the start in which failures do not count. (default: 0s)", valueName: "time"),
            transform: { try Sizes.milliseconds($0) })
    var healthStartPeriod: UInt64?

    @Option(help: ArgumentHelp("Failures in a row that make it unhealthy. (default: 3)", valueName: "n"),
            transform: { try number($0, in: 1...UInt32.max, unit: "") })
    var healthRetries: UInt32?

    @Flag(help: "No check, whatever the image says.")
    var noHealthcheck = false

    var request: HealthRequest {
        get throws(Expected) {
            var request = HealthRequest()
            request.isDisabled = noHealthcheck || healthCmd == "none"
            if let command = healthCmd, command != "none" {
                guard !command.isEmpty, !noHealthcheck else { throw Expected("--health-cmd with a command, or --no-healthcheck alone") }
                request.test = try Words.isList(command) ? ["CMD"] + Words.list(command) : ["CMD-SHELL", command]
            }
            (request.interval, request.timeout, request.startPeriod) = (healthInterval, healthTimeout, healthStartPeriod)
            request.retries = healthRetries
            return request
        }
    }

    private static func time(_ text: String) throws(Expected) -> UInt64 {
        let time = try Sizes.milliseconds(text)
        guard time > 0 else { throw Expected("a time above 0, found '\(text)'") }
        return time
    }
}

/// Which image, and whether it is fetched.
struct ContainerImageOptions: ParsableArguments {
    @Option(help: ArgumentHelp("When the image is fetched.", valueName: "missing|always|newer|never"),
            transform: { text in
                guard let policy = PullPolicy(rawValue: text) else { throw Expected("missing, always, newer or never, found '\(text)'") }
                return policy
            })
    var pull = PullPolicy.missing

    @OptionGroup var platformOption: PlatformOption
    @OptionGroup var unpackOption: UnpackOption
    @OptionGroup var connection: RegistryConnectionOptions

    @Flag(name: .shortAndLong, help: "Show no progress.")
    var quiet = false
}
