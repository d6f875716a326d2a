import AgentProtocol

/// One of each message, with something in every field.
enum Samples {
    static let process: ProcessConfiguration = {
        var process = ProcessConfiguration(arguments: ["/bin/sh", "-c", "echo ü"], environment: ["A=1", "EMPTY="],
                                           workingDirectory: "/srv", user: "www:web")
        process.additionalGroups = ["audio", "7"]
        process.capabilities = 0xa804_25fb
        process.ambientCapabilities = 1 << 10
        process.hasNoNewPrivileges = true
        process.limits = [.init(resource: 7, soft: 1024, hard: .max)]
        process.umask = 0o077
        process.outOfMemoryScore = -500
        process.terminal = .init(columns: 80, rows: 24)
        process.streams = .init(input: .max, errors: 2, hasInput: true)
        process.hasInit = true
        return process
    }()

    static let sandbox: SandboxConfiguration = {
        var sandbox = SandboxConfiguration(hostname: "box", root: .init(imageDisk: "image", writableDisk: "layer", isReadOnly: true))
        sandbox.domainName = "example.org"
        sandbox.mounts = [
            .init(.share(tag: "shares", name: "src"), at: "/src", isReadOnly: true),
            .init(.temporary(size: 1 << 20, mode: 0o1777), at: "/tmp", flags: [.noSetID, .noExecution]),
            .init(.disk("volume"), at: "/data", flags: .noDevices, copiesImage: true),
        ]
        sandbox.sharedMemorySize = 1 << 26
        sandbox.files = [.init(path: "/etc/hosts", mode: 0o600, contents: Array("127.0.0.1 localhost\n".utf8))]
        sandbox.interfaces = [
            .init(mac: [2, 0, 0, 0, 0, 1], name: "eth0", mtu: 1400,
                  addresses: [.init(bytes: [10, 0, 2, 15], prefixLength: 24), .init(bytes: Array(repeating: 0xfd, count: 16), prefixLength: 64)],
                  gateways: [[10, 0, 2, 2], Array(repeating: 0xfe, count: 16)]),
        ]
        sandbox.kernelParameters = [.init(name: "net.core.somaxconn", value: "1024")]
        sandbox.maskedPaths = ["/proc/kcore"]
        sandbox.readOnlyPaths = ["/proc/sys"]
        sandbox.processLimit = 100
        sandbox.stopSignal = 3
        sandbox.stopGrace = 1
        sandbox.time = 1_700_000_000_000_000_000
        return sandbox
    }()

    static let requests: [AgentRequest] = [
        .setUp(sandbox), .setUp(SandboxConfiguration(hostname: "", root: .init(imageDisk: "", writableDisk: nil))), .start(process),
        .start(ProcessConfiguration(arguments: [])), .execute(process: 7, process), .signal(process: 7, signal: 15),
        .resize(process: 7, .init(columns: .max, rows: 1)), .statistics, .processes, .freeze(true), .freeze(false),
        .archive(path: "/etc", stream: 1 << 40), .extract(path: "/", stream: 3), .status(path: "/x"), .setTime(.max),
        .shutDown(syncs: true), .shutDown(syncs: false), .growDisk(serial: "volume-0", size: 1 << 40),
    ]

    static let statistics: AgentStatistics = {
        var statistics = AgentStatistics()
        statistics.cpu = 1
        statistics.cpuUser = 2
        statistics.cpuSystem = 3
        statistics.memory = 4
        statistics.memoryPeak = 5
        statistics.memoryTotal = 6
        statistics.memoryCache = 7
        statistics.processes = 8
        statistics.received = 9
        statistics.transmitted = 10
        statistics.blockRead = 11
        statistics.blockWritten = 12
        statistics.outOfMemoryKills = .max
        return statistics
    }()

    static let entry = ProcessEntry(identifier: 1, parent: 0, user: 1000, cpu: 10, elapsed: .max, resident: 4096, state: 0x53, command: "sh -c x")

    static let messages: [AgentMessage] = [
        .hello(version: AgentChannel.version, milliseconds: 123), .reply(request: 1, .done),
        .reply(request: 2, .failed(AgentFailure(.commandNotFound, "no such thing"))), .reply(request: 3, .statistics(statistics)),
        .reply(request: 4, .processes([entry, entry])), .reply(request: .max, .processes([])),
        .reply(request: 5, .status(PathStatus(mode: 0o100644, size: .max, target: "x"))),
        .exited(process: 7, status: 137, wasOutOfMemory: true), .stopping, .outOfMemory(count: 3), .note("a line"), .kernelLog(Array("[    0.1] words\n".utf8)), .progress,
    ]
}
