import AgentProtocol
@testable import Containers
import ContainerProtocol
import MachineProtocol
import Testing

@Suite("What the guest and the monitor are told")
struct SandboxTests {
    private let mac: [UInt8] = [2, 0, 0, 0, 0, 1]
    private let paths = ContainerPaths(directory: "/root/containers/x", runDirectory: "/run/x")

    private func record(_ change: (inout ContainerRequest) -> Void = { _ in }) throws -> ContainerRecord {
        var request = ContainerRequest(image: "img:1")
        request.command = ["/bin/server"]
        request.network = .user
        change(&request)
        let identifier = String(repeating: "a", count: 64)
        let configuration = try ContainerConfiguration(
            request, image: ImageSettings(), identifier: identifier, host: HostFacts(processors: 8, hasUserNetwork: true))
        return ContainerRecord(identifier: identifier, name: "web", created: 0, image: "img:1", digest: "", root: "", isTemporary: false,
                               configuration: configuration)
    }

    private func text(_ sandbox: SandboxConfiguration, _ path: String) throws -> String {
        String(decoding: try #require(sandbox.files.first { $0.path == path }).contents, as: UTF8.self)
    }

    @Test("a container with defaults finds the usual things around it")
    func defaults() throws {
        let host = ResolverConfiguration(parsing: "search lab.example\nnameserver 192.0.2.1\n# nameserver 1.1.1.1\noptions ndots:2\n")
        let sandbox = SandboxConfiguration(try record(), mac: mac, .user(host), time: 7)
        #expect(sandbox.hostname == "aaaaaaaaaaaa")
        #expect(sandbox.root == .init(imageDisk: "root", writableDisk: "writable"))
        #expect(sandbox.mounts.isEmpty)
        #expect((sandbox.stopSignal, sandbox.stopGrace, sandbox.time) == (15, 10_000, 7))
        #expect(sandbox.interfaces == [.init(mac: mac, name: "eth0", addresses: [.init(bytes: [10, 0, 2, 15], prefixLength: 24)], gateways: [[10, 0, 2, 2]])])
        #expect(sandbox.kernelParameters == [.init(name: "net.ipv4.ping_group_range", value: "0 0")])
        #expect(sandbox.maskedPaths.contains("/proc/kcore"))
        #expect(sandbox.readOnlyPaths.contains("/proc/sys"))
        #expect(try text(sandbox, "/etc/hostname") == "aaaaaaaaaaaa\n")
        #expect(try text(sandbox, "/etc/hosts").hasSuffix("\n10.0.2.15\taaaaaaaaaaaa web\n"))
        #expect(try text(sandbox, "/etc/resolv.conf") == "search lab.example\nnameserver 192.0.2.1\noptions ndots:2\n")
    }

    @Test("names and servers are as the user says")
    func names() throws {
        let record = try record {
            ($0.hostname, $0.dnsServers, $0.dnsDomains, $0.dnsOptions) = ("db.example.org", ["192.0.2.9"], ["."], ["rotate"])
            $0.hosts = [HostEntry(name: "other", address: "192.0.2.7"), HostEntry(name: "here", address: nil)]
            $0.sysctls = ["net.ipv4.ping_group_range": "1 1", "a.b": "c"]
        }
        let sandbox = SandboxConfiguration(record, mac: mac, .user(.none), time: 0)
        #expect(sandbox.hostname == "db")
        #expect(try text(sandbox, "/etc/hostname") == "db.example.org\n")
        #expect(try text(sandbox, "/etc/hosts").hasPrefix("192.0.2.7\tother\n10.0.2.2\there\n127.0.0.1\tlocalhost"))
        #expect(try text(sandbox, "/etc/resolv.conf") == "nameserver 192.0.2.9\noptions rotate\n")
        #expect(sandbox.kernelParameters.map(\.name) == ["a.b", "net.ipv4.ping_group_range"])
    }

    @Test("without servers of the host the user network's own resolver is asked; without a network nobody is")
    func resolver() throws {
        let alone = SandboxConfiguration(try record(), mac: mac, .user(.none), time: 0)
        #expect(try text(alone, "/etc/resolv.conf") == "nameserver 10.0.2.3\n")
        let none = SandboxConfiguration(try record { $0.network = ContainerNetwork.none }, mac: mac, .none, time: 0)
        #expect(try text(none, "/etc/resolv.conf").isEmpty)
        #expect(none.interfaces.isEmpty)
        #expect(none.kernelParameters.isEmpty)
    }

    @Test("mounts are shares by number, and file systems in memory")
    func mounts() throws {
        let record = try record {
            $0.mounts = [
                .temporary(destination: "/t", size: 5, mode: 0o700, options: [.noExecution]),
                .bind(source: "/host", destination: "/data", options: [.readOnly, .noSetID]),
            ]
        }
        let sandbox = SandboxConfiguration(record, mac: mac, .user(.none), time: 0)
        #expect(sandbox.mounts == [
            .init(.temporary(size: 5, mode: 0o700), at: "/t", flags: [.noExecution]),
            .init(.share(tag: "svmm", name: "v1"), at: "/data", isReadOnly: true, flags: [.noSetID]),
        ])
        let machine = MachineDescription(record.configuration, paths: paths, programs: EnginePrograms(monitor: "", kernel: "/k", agent: "/a"), rootDisk: "/r", mac: mac)
        #expect(machine.shares == [ShareDescription(path: "/host", tag: "svmm", name: "v1", readOnly: true)])
        #expect(machine.disks.map(\.path) == ["/r", "/root/containers/x/writable.ext4"])
        #expect(machine.disks.map(\.readOnly) == [true, false])
        #expect(machine.disks.map(\.serial) == ["root", "writable"])
        #expect((machine.kernel, machine.initrd, machine.processorCount) == ("/k", "/a", 4))
    }

    @Test("volumes are disks behind the container's own, or shares; what the server enforces, the guest is told as well")
    func volumes() throws {
        let record = try record {
            $0.mounts = [
                .bind(source: "/host/file", destination: "/etc/x", options: [], ownership: .squash(user: 5, group: 6)),
                .volume(VolumeMount(name: "disk", destination: "/a", options: [.readOnly])),
                .volume(VolumeMount(name: "shared", destination: "/b")), .volume(VolumeMount(name: "new", destination: "/c", options: [.readOnly])),
            ]
        }
        let attachments = [
            1: VolumeAttachment(kind: .disk, path: "/v/disk", isReadOnly: true, isFilled: false, mark: nil),
            2: VolumeAttachment(kind: .directory, path: "/v/shared", isReadOnly: false, isFilled: true, mark: "/m"),
            3: VolumeAttachment(kind: .disk, path: "/v/new", isReadOnly: false, isFilled: true, mark: "/n"),
        ]
        let sandbox = SandboxConfiguration(record, mac: mac, .user(.none), time: 0, volumes: attachments)
        #expect(sandbox.mounts == [
            .init(.share(tag: "svmm", name: "v0"), at: "/etc/x"), .init(.disk("volume-1"), at: "/a", isReadOnly: true),
            .init(.share(tag: "svmm", name: "v2"), at: "/b", copiesImage: true),
            .init(.disk("volume-3"), at: "/c", isReadOnly: true, copiesImage: true),
        ])
        let machine = MachineDescription(record.configuration, paths: paths, programs: EnginePrograms(monitor: "", kernel: "/k", agent: "/a"), rootDisk: "/r", mac: mac,
                                         volumes: attachments)
        #expect(machine.disks.dropFirst(2).map(\.path) == ["/v/disk", "/v/new"])
        #expect(machine.disks.dropFirst(2).map(\.readOnly) == [true, false])
        #expect(machine.disks.dropFirst(2).map(\.serial) == ["volume-1", "volume-3"])
        #expect(machine.shares.map(\.path) == ["/host/file", "/v/shared"])
        #expect(machine.shares.first?.ownership == .squash(user: 5, group: 6))
    }

    @Test("published ports and host-gateway are the user network's")
    func network() throws {
        let record = try record {
            $0.ports = [ContainerPort(address: "127.0.0.1", host: 8080, container: 80), ContainerPort(host: 53, container: 53, transport: .udp)]
            $0.hosts = [HostEntry(name: "here", address: nil)]
        }
        let machine = MachineDescription(record.configuration, paths: paths, programs: EnginePrograms(monitor: "", kernel: "", agent: ""), rootDisk: "", mac: mac)
        guard case .user(let user)? = machine.interfaces.first?.backend else { Issue.record("no user network"); return }
        #expect(user.published == [PublishedPort(address: "127.0.0.1", host: 8080, guest: 80), PublishedPort(host: 53, guest: 53, transport: .udp)])
        #expect(user.reachesHost)
    }

    @Test("the process gets what the configuration says")
    func process() throws {
        let record = try record {
            ($0.hasTerminal, $0.hasInput, $0.hasInit, $0.hasNoNewPrivileges) = (true, true, true, true)
            ($0.droppedCapabilities, $0.addedCapabilities) = (["ALL"], ["CHOWN", "KILL"])
            $0.limits = [ContainerLimit(name: "core", soft: 0, hard: .max)]
        }
        let process = ProcessConfiguration(record.configuration, terminal: .init(columns: 10, rows: 5))
        #expect(process.capabilities == 0b100001)
        #expect(process.terminal == .init(columns: 10, rows: 5))
        #expect(process.streams.hasInput && process.hasInit && process.hasNoNewPrivileges)
        #expect(process.limits.first == .init(resource: 4, soft: 0, hard: .max))
    }
}

extension NetworkSurroundings {
    /// Of a container in the user network that asks for nothing.
    fileprivate static func user(_ resolver: ResolverConfiguration) -> NetworkSurroundings {
        NetworkSurroundings(user: [], resolver: resolver, outbound: nil)
    }
}
