@testable import Containers
import Testing

@Suite("What a container is made of")
struct ConfigurationTests {
    private let host = HostFacts(processors: 2, hasUserNetwork: true)
    private let identifier = String(repeating: "0123456789abcdef", count: 4)

    private var image: ImageSettings {
        var image = ImageSettings()
        (image.entrypoint, image.command) = (["/entry", "-a"], ["serve", "--port=1"])
        (image.environment, image.user, image.workingDirectory) = (["PATH=/image/bin", "A=1", "B=2"], "web", "/srv")
        (image.labels, image.stopSignal, image.volumes) = (["a": "image", "b": "image"], "SIGQUIT", ["/data", "/cache"])
        (image.healthTest, image.healthInterval, image.healthRetries) = (["CMD-SHELL", "check it"], 5000, 7)
        return image
    }

    private func make(_ change: (inout ContainerRequest) -> Void = { _ in }, image: ImageSettings? = nil) throws -> ContainerConfiguration {
        var request = ContainerRequest(image: "img")
        change(&request)
        return try ContainerConfiguration(request, image: image ?? self.image, identifier: identifier, host: host)
    }

    @Test("without wishes the image's word counts, and svmm's defaults where it says nothing")
    func defaults() throws {
        let made = try make()
        #expect(made.arguments == ["/entry", "-a", "serve", "--port=1"])
        #expect(made.environment == ["PATH=/image/bin", "container=svmm", "HOSTNAME=0123456789ab", "A=1", "B=2"])
        #expect((made.user, made.workingDirectory, made.hostname) == ("web", "/srv", "0123456789ab"))
        #expect((made.stopSignal, made.stopTimeout) == (3, 10))
        #expect((made.network, made.address) == (.user, "10.0.2.15"))
        #expect((made.memory, made.processors, made.sharedMemory) == (512 << 20, 2, 64 << 20))
        #expect(made.labels == ["a": "image", "b": "image"])
        #expect(made.volumes == ["/data", "/cache"])
        #expect(made.mounts == [.volume(VolumeMount(name: nil, destination: "/data")), .volume(VolumeMount(name: nil, destination: "/cache"))])
        #expect(made.capabilities == Capabilities.defaults)
        #expect(made.limits == [ContainerLimit(name: "nofile", soft: 1 << 20, hard: 1 << 20)])
        let health = try #require(made.health)
        #expect(health == ContainerHealthCheck(command: ["/bin/sh", "-c", "check it"], interval: 5000, timeout: 30_000, startPeriod: 0, retries: 7))
    }

    @Test("volumes of an image have one spelling each, and lie below the root")
    func imageVolumes() throws {
        var image = image
        image.volumes = ["/data/", "data", "/a//b/./c"]
        #expect(try make(image: image).volumes == ["/data", "/a/b/c"])
        for bad in ["/", "", "/a/../b"] {
            image.volumes = [bad]
            #expect(throws: ContainerError.self) { try make(image: image) }
        }
    }

    @Test("a command takes the place of the image's, an entrypoint that of both", arguments: [
        (nil, ["x", "y"], ["/entry", "-a", "x", "y"]), (["/e"], [], ["/e"]), (["/e"], ["x"], ["/e", "x"]), ([], ["x"], ["x"]),
    ] as [([String]?, [String], [String])])
    func command(entrypoint: [String]?, command: [String], arguments: [String]) throws {
        #expect(try make { ($0.entrypoint, $0.command) = (entrypoint, command) }.arguments == arguments)
    }

    @Test("variables of the user override the image's at their place")
    func environment() throws {
        let made = try make {
            $0.environment = ["B=x", "C=3", "B=y", "HOSTNAME=z"]
            $0.hasTerminal = true
        }
        #expect(made.environment == ["PATH=/image/bin", "container=svmm", "HOSTNAME=z", "TERM=xterm", "A=1", "B=y", "C=3"])
    }

    @Test("what the user says goes before what the image says")
    func wishes() throws {
        let made = try make {
            ($0.user, $0.workingDirectory, $0.hostname) = ("1:2", "/w", "h.example")
            ($0.stopSignal, $0.labels, $0.network) = ("usr1", ["b": "user"], ContainerNetwork.none)
            $0.mounts = [.temporary(destination: "/data", size: 0, mode: 0o1777, options: [])]
            $0.health.isDisabled = true
            $0.limits = [ContainerLimit(name: "nofile", soft: 5, hard: 6)]
        }
        #expect((made.user, made.workingDirectory, made.hostname) == ("1:2", "/w", "h.example"))
        #expect((made.stopSignal, made.network, made.address) == (10, ContainerNetwork.none, nil))
        #expect(made.labels == ["a": "image", "b": "user"])
        #expect(made.volumes == ["/cache"])
        #expect(made.mounts.last == .volume(VolumeMount(name: nil, destination: "/cache")))
        #expect(made.health == nil)
        #expect(made.limits.count == 1)
    }

    typealias Change = @Sendable (inout ContainerRequest) -> Void

    private static let refusals: [(String, Change)] = [
        ("the image names no command", { $0.entrypoint = [] }),
        ("the command is an empty word", { $0.entrypoint = [""] }),
        ("--workdir w", { $0.workingDirectory = "w" }),
        ("--hostname 'a b'", { $0.hostname = "a b" }),
        ("--hostname ''", { $0.hostname = "" }),
        ("--stop-signal SIGNO", { $0.stopSignal = "SIGNO" }),
        ("--cap-add FLY", { $0.addedCapabilities = ["FLY"] }),
        ("--cap-drop KILL", { ($0.addedCapabilities, $0.droppedCapabilities) = (["kill"], ["CAP_KILL"]) }),
        ("--ulimit tea", { $0.limits = [ContainerLimit(name: "tea", soft: 1, hard: 1)] }),
        ("--ulimit core", { $0.limits = [ContainerLimit(name: "core", soft: 2, hard: 1)] }),
        ("--ip 10.0.2.2", { $0.address = "10.0.2.2" }),
        ("--ip 192.168.0.1", { $0.address = "192.168.0.1" }),
        ("--ip with --network none", { ($0.address, $0.network) = ("10.0.2.9", ContainerNetwork.none) }),
        ("--publish with --network none", { ($0.ports, $0.network) = ([ContainerPort(host: 1, container: 1)], ContainerNetwork.none) }),
        ("--restart with --rm", { ($0.restart, $0.isTemporary) = (.always, true) }),
        ("environment variable '=x'", { $0.environment = ["=x"] }),
        ("mount at '/a': given twice", { $0.mounts = Array(repeating: .temporary(destination: "/a", size: 0, mode: 0, options: []), count: 2) }),
        ("mount at /", { $0.mounts = [.temporary(destination: "/", size: 0, mode: 0, options: [])] }),
    ]

    @Test("what cannot be is refused in one line", arguments: refusals)
    func refused(begin: String, change: @escaping Change) throws {
        let error = try #require(throws: ContainerError.self) { _ = try make(change) }
        #expect(error.description.replacingQuotes.contains(begin.replacingQuotes), "\(error)")
        #expect(!error.description.contains("\n"))
        #expect(error.exitStatus == 125)
    }

    @Test("capabilities are added and dropped, also all of them", arguments: [
        ([], [], Capabilities.defaults.count), (["NET_ADMIN"], [], Capabilities.defaults.count + 1), (["ALL"], [], Capabilities.names.count),
        ([], ["ALL"], 0), (["net_raw"], ["all"], 1), (["all"], ["SYS_ADMIN"], Capabilities.names.count - 1), ([], ["CHOWN", "cap_kill"], Capabilities.defaults.count - 2),
    ] as [([String], [String], Int)])
    func capabilities(adding: [String], dropping: [String], count: Int) throws {
        #expect(try Capabilities.combine(adding: adding, dropping: dropping).count == count)
    }

    @Test("signals have names with and without SIG, and numbers", arguments: [
        ("TERM", 15), ("sigkill", 9), ("1", 1), ("64", 64), ("RTMIN", 34), ("SIGRTMIN+3", 37), ("RTMAX-1", 63), ("POLL", 29), ("IOT", 6),
    ] as [(String, UInt8)])
    func signals(name: String, number: UInt8) {
        #expect(LinuxSignals.number(name) == number)
    }

    @Test("what is no signal is none", arguments: ["", "0", "65", "-1", "+1", "SIG", "RTMIN+31", "RTMIN-1", "RTMAX+1", "1x"])
    func noSignals(name: String) {
        #expect(LinuxSignals.number(name) == nil)
    }
}

extension String {
    fileprivate var replacingQuotes: String { filter { $0 != "'" } }
}
