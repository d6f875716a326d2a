import Containers
import Networks
import Registry
import CommandSupport
@testable import svmm_engine
import Testing

@Suite("Options of containers")
struct ContainerOptionTests {
    private func parse(_ words: String...) throws -> ContainerRequest {
        try ContainerOptions.parse(words).request
    }

    @Test("what stands behind the image is the command's, whatever it looks like")
    func command() throws {
        let request = try parse("-i", "--name", "n", "img", "ls", "-la", "--name", "x", "--", "y")
        #expect((request.image, request.name, request.hasInput) == ("img", "n", true))
        #expect(request.command == ["ls", "-la", "--name", "x", "--", "y"])
        #expect(try parse("img").command == [])
        #expect(try parse("-it", "img", "sh").hasTerminal)
    }

    @Test("the short forms are podman's")
    func short() throws {
        let request = try parse("-e", "A=1", "-e", "B=2", "-p", "8080:80", "-u", "1:2", "-w", "/srv", "-m", "128m", "--hostname", "host", "-l", "k=v", "-v", "/a:/b:ro", "img")
        #expect(request.environment == ["A=1", "B=2"])
        #expect(request.ports == [ContainerPort(host: 8080, container: 80)])
        #expect((request.user, request.workingDirectory, request.hostname) == ("1:2", "/srv", "host"))
        #expect((request.memory, request.labels) == (128 << 20, ["k": "v"]))
        #expect(request.mounts == [.bind(source: "/a", destination: "/b", options: [.readOnly])])
    }

    @Test("everything else has its place")
    func long() throws {
        let request = try parse(
            "--rm", "--init", "--read-only", "--network", "none", "--stop-signal", "INT", "--stop-timeout", "3", "--cap-add", "A,B", "--cap-drop=ALL",
            "--security-opt", "no-new-privileges", "--sysctl", "net/core/somaxconn=5", "--pids-limit", "-1", "--shm-size", "1g", "--ulimit", "nofile=5:unlimited",
            "--dns", "192.0.2.1,2001:db8::1", "--add-host", "a;b:192.0.2.2", "--entrypoint", #"["a b", "c\"d"]"#, "--health-cmd", "true", "--health-interval", "1m30s",
            "--log-opt", "max-size=1m", "--log-opt", "max-file=3", "--label", "only", "--annotation", "x=y=z", "--group-add", "g", "--restart", "no", "--cpus", "3", "img")
        #expect(request.isTemporary && request.hasInit && request.isRootReadOnly && request.hasNoNewPrivileges)
        #expect((request.network, request.stopSignal, request.stopTimeout) == (ContainerNetwork.none, "INT", 3))
        #expect((request.addedCapabilities, request.droppedCapabilities) == (["A", "B"], ["ALL"]))
        #expect((request.sysctls, request.processLimit, request.sharedMemory) == (["net.core.somaxconn": "5"], 0, 1 << 30))
        #expect(request.limits == [ContainerLimit(name: "nofile", soft: 5, hard: .max)])
        #expect(request.dnsServers == ["192.0.2.1", "2001:db8::1"])
        #expect(request.hosts == [HostEntry(name: "a", address: "192.0.2.2"), HostEntry(name: "b", address: "192.0.2.2")])
        #expect(request.entrypoint == ["a b", "c\"d"])
        #expect((request.health.test, request.health.interval) == (["CMD-SHELL", "true"], 90_000))
        #expect((request.log.maximumSize, request.log.maximumFiles) == (1 << 20, 3))
        #expect((request.labels, request.annotations, request.additionalGroups) == (["only": ""], ["x": "y=z"], ["g"]))
        #expect((request.restart, request.processors) == (.never, 3))
    }

    @Test("what is wrong is refused, with its option and what was expected", arguments: [
        ["-p", "0:80"], ["-p", "80:"], ["-p", "65536:1"], ["-p", "1-3:1-2"], ["-p", "80/sctp"], ["-p", "a:1:1"], ["-p", "[::1]80:80"], ["-p", ":::"],
        ["-p", "999.1.1.1:1:1"], ["-p", "1.:1:1"], ["-p", "127.0.0.01:1:1"], ["-p", "[:::]:1:1"], ["-p", "[1:2:3:4:5:6:7:8:9]:1:1"], ["-p", "[12345::]:1:1"],
        ["-v", ".name:/b"], ["-v", "a"], ["-v", "na me:/b"], ["-v", "v:/b:uidmap=squash"], ["-v", "/a:/b:nocopy"], ["-v", "/a:/b:uidmap=squash=-1"], ["-v", "/a:b"], ["-v", "/a:/"], ["-v", "/a:/../b"], ["-v", "/a:/b:maybe"], ["-v", "/a:/b:ro:rw"], ["-v", ""],
        ["--mount", "type=bind,destination=/b"], ["--mount", "type=volume,source=/v,destination=/b"], ["--mount", "type=volume,source=v"],
        ["--mount", "source=v,dst=/b,volume-opt=type=btrfs"], ["--mount", "source=v,dst=/b,volume-opt=size=1k"], ["--mount", "source=v,dst=/b,volume-opt"],
        ["--mount", "source=v,dst=/b,volume-opt=type=9p,volume-opt=size=1g"], ["--mount", "source=v,dst=/b,tmpfs-size=1m"], ["--mount", "type=bind,source=/a"],
        ["--mount", "type=bind,source=/a,destination=/b,volume-opt=type=9p"], ["--mount", "type=bind,source=/a,destination=/b,ro=perhaps"],
        ["--mount", "type=bind,source=/a,destination=/b,color=red"], ["--mount", "type=tmpfs,source=/a,destination=/b"], ["--mount", "type=bind,src=/a,source=/a,dst=/b"],
        ["--tmpfs", "b"], ["--tmpfs", "/b:size=x"], ["--tmpfs", "/b:mode=9"], ["--tmpfs", "/b:loud"],
        ["--mac-address", "02:00"], ["--network-alias", "a b"], ["-m", "1m"], ["-m", "65g"], ["-m", "100000001"], ["-m", "x"], ["--cpus", "0"], ["--cpus", "1.5"], ["--cpus", "65"],
        ["--ulimit", "nofile"], ["--ulimit", "tea=1"], ["--ulimit", "nofile=2:1"], ["--ulimit", "nofile=a"], ["--restart", "sometimes"], ["--restart", "on-failure:x"],
        ["--security-opt", "seccomp=x"], ["--stop-timeout", "-1"], ["--add-host", "a"], ["--add-host", "a:b"], ["--add-host", "a:::::"], ["--add-host", "a:1.2.3"], ["--add-host", "a:1::2::3"], ["--add-host", ":1.2.3.4"],
        ["--health-interval", "0s"], ["--health-interval", "5"], ["--health-retries", "0"], ["--pids-limit", "-2"], ["--shm-size", "1x"], ["--pull", "sometimes"], ["--platform", "a/b/c/d"],
        ["--root", ""], ["--max-unpacked", "0"], ["--max-unpacked", "much"], ["--security-opt", "apparmor=mine"],
    ])
    func refused(words: [String]) {
        #expect(throws: (any Error).self) { _ = try ContainerOptions.parse(words + ["img"]) }
    }

    @Test("networks are named with what is wanted on them, several for several interfaces")
    func networks() throws {
        func network(_ words: String...) throws -> ContainerNetwork? { try ContainerOptions.parse(words + ["img"]).request.network }
        #expect(try network() == nil)
        #expect(try network("--network", "pasta") == .user)
        #expect(try network("--net", "bridge") == .attached([NetworkAttachment(place: "default")]))
        #expect(try network("--network", "a:ip=10.0.0.2,ip6=fd00::2,mac=02:00:00:00:00:0a,alias=db,alias=db2", "--network", "ns:/run/netns/x") == .attached([
            NetworkAttachment(place: "a", address: IPAddress("10.0.0.2"), address6: IPAddress("fd00::2"), mac: [2, 0, 0, 0, 0, 10], aliases: ["db", "db2"]),
            NetworkAttachment(place: "ns:/run/netns/x"),
        ]))
        let request = try ContainerOptions.parse(["-P", "--ip6", "fd00::3", "--mac-address", "02:00:00:00:00:01", "--network-alias", "x", "img"]).request
        #expect(request.publishesExposedPorts && request.address6 == "fd00::3" && request.networkAliases == ["x"])
        #expect(request.macAddress == [2, 0, 0, 0, 0, 1])
    }

    @Test("what only shows when it is put together is refused as well", arguments: [
        ["--network", "host"], ["--network", "my/net"], ["--network", "net:ip=fd00::1,colour=red"], ["--network", "none", "--network", "a"], ["--network", "cni:"],
        ["--network", "net:ip6=10.0.0.1"], ["--network", "net:mac=1"], ["--dns", "here"], ["-e", "=x"], ["--env-file", "/nonexistent/env"], ["-l", "=x"], ["--sysctl", "a"], ["--sysctl", "a..b=1"], ["--log-driver", "journald"],
        ["--log-opt", "max-size=1"], ["--log-opt", "max-file=0"], ["--log-opt", "path=/x"], ["--entrypoint", "[a]"], ["--entrypoint", #"["a",]"#], ["--health-cmd", ""],
        ["--dns", "1.2.3"], ["--dns-search", "a b"], ["--dns-search", "a\nnameserver 1.2.3.4"], ["--dns-option", "ndots:1\n"], ["--kernel", "/dev/null"], ["--kernel", "/nonexistent/k"],
        ["--kernel", "/"], ["--kernel", ""],
    ])
    func refusedTogether(words: [String]) {
        #expect(throws: Expected.self) { _ = try ContainerOptions.parse(words + ["img"]).request }
    }

    @Test("what podman protects the host with is nothing to do here", arguments: ["label=disable", "label=type:x", "seccomp=unconfined", "apparmor=unconfined"])
    func security(option: String) throws {
        #expect(try parse("--security-opt", option, "img").hasNoNewPrivileges == false)
        #expect(try parse("--security-opt", "no-new-privileges", "--security-opt", option, "img").hasNoNewPrivileges)
    }

    @Test("a size bounds what an image unpacks to")
    func unpacked() throws {
        #expect(try ContainerOptions.parse(["--max-unpacked", "20G", "img"]).image.unpackOption.maxUnpacked == 20 << 30)
        #expect(try ContainerOptions.parse(["img"]).image.unpackOption.maxUnpacked == 64 << 30)
    }

    @Test("addresses are those that other programs take", arguments: [
        "0.0.0.0", "255.255.255.255", "::", "::1", "1::", "fe80::1", "1:2:3:4:5:6:7:8", "::ffff:1.2.3.4", "1:2:3:4:5:6:1.2.3.4", "ABCD::ef01",
    ])
    func addresses(text: String) {
        #expect(HostEntry.isAddress(text))
    }

    @Test("and nothing else", arguments: [
        "", ".", "1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4", "1.2.3.4 ", "+1.2.3.4", ":", ":::", "1:2", "1::2::3", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7::8", "::1.2.3", "1.2.3.4::",
        "::g", "::12345", "::1%eth0", "[::1]", ":1::2", "1::2:",
    ])
    func noAddresses(text: String) {
        #expect(!HostEntry.isAddress(text))
    }

    @Test("options that are not known are refused", arguments: [["--foo", "img"], ["img", "--foo"].reversed(), ["-Z", "img"]])
    func unknown(words: [String]) {
        #expect(throws: (any Error).self) { _ = try ContainerOptions.parse(words) }
    }

    @Test("ports are podman's", arguments: [
        ("80", [ContainerPort(host: 0, container: 80)]), ("8080:80/udp", [ContainerPort(host: 8080, container: 80, transport: .udp)]),
        ("127.0.0.1::80", [ContainerPort(address: "127.0.0.1", host: 0, container: 80)]), ("[::1]:8080:80", [ContainerPort(address: "::1", host: 8080, container: 80)]),
        ("8000-8001:80-81", [ContainerPort(host: 8000, container: 80), ContainerPort(host: 8001, container: 81)]),
    ] as [(String, [ContainerPort])])
    func ports(text: String, ports: [ContainerPort]) throws {
        #expect(try ContainerPort.parse(text) == ports)
    }

    @Test("file systems in memory have sizes and modes", arguments: [
        ("/t", .temporary(destination: "/t", size: 0, mode: 0o1777, options: [.noSetID, .noDevices, .noExecution])),
        ("/t//x/:size=64m,mode=755,exec,suid,dev,ro", .temporary(destination: "/t/x", size: 64 << 20, mode: 0o755, options: [.readOnly])),
    ] as [(String, ContainerMount)])
    func temporary(text: String, mount: ContainerMount) throws {
        #expect(try ContainerMount.parse(tmpfs: text) == mount)
    }

    @Test("volumes have names, places, and what a new one is to be", arguments: [
        ("data:/b", VolumeMount(name: "data", destination: "/b")), ("/b//c", VolumeMount(name: nil, destination: "/b/c")),
        ("data:/b:ro,nocopy,nosuid", VolumeMount(name: "data", destination: "/b", options: [.readOnly, .noSetID], copiesImage: false)),
    ] as [(String, VolumeMount)])
    func volumes(text: String, mount: VolumeMount) throws {
        #expect(try ContainerMount.parse(volume: text) == .volume(mount))
    }

    @Test("mounts in words have types, volumes are the usual one", arguments: [
        ("source=data,destination=/b", .volume(VolumeMount(name: "data", destination: "/b"))),
        ("type=volume,target=/b", .volume(VolumeMount(name: nil, destination: "/b"))),
        ("type=volume,src=v,dst=/b,ro,nocopy,volume-opt=type=9p",
         .volume(VolumeMount(name: "v", destination: "/b", options: [.readOnly], copiesImage: false, creation: VolumeOptions(kind: .directory)))),
        ("src=v,dst=/b,volume-opt=size=1g,readonly=false", .volume(VolumeMount(name: "v", destination: "/b", creation: VolumeOptions(size: 1 << 30)))),
        ("type=bind,source=/a,destination=/b,readonly=1,uidmap=squash=7:8",
         .bind(source: "/a", destination: "/b", options: [.readOnly], ownership: .squash(user: 7, group: 8))),
        ("type=tmpfs,dst=/t,size=1m,mode=700,ro",
         .temporary(destination: "/t", size: 1 << 20, mode: 0o700, options: [.readOnly, .noSetID, .noDevices, .noExecution])),
    ] as [(String, ContainerMount)])
    func mounts(text: String, mount: ContainerMount) throws {
        #expect(try ContainerMount.parse(mount: text) == mount)
    }

    @Test("owners of a bind mount are as svmm boot --share has them", arguments: [
        ("passthrough", .passthrough), ("mapped", .mapped), ("squash", .squash()), ("squash=5", .squash(user: 5, group: 5)),
        ("squash=5:6", .squash(user: 5, group: 6)),
    ] as [(String, MountOwnership)])
    func owners(text: String, ownership: MountOwnership) throws {
        #expect(try ContainerMount.parse(volume: "/a:/b:ro,uidmap=\(text)")
            == .bind(source: "/a", destination: "/b", options: [.readOnly], ownership: ownership))
    }

    @Test("filters of volumes are KEY=VALUE", arguments: ["name", "color=red", "dangling=yes", "type=btrfs"])
    func badVolumeFilter(text: String) {
        #expect(throws: Expected.self) { try VolumeFilter([text]) }
    }

    @Test("files of variables have names, values, and lines that are none")
    func environmentFile() throws {
        let text = "# comment\nA=1 # not a comment\n\n  B=\"quoted\"\r\nC=\nPATH\nNO_SUCH_VARIABLE_HERE\n"
        let variables = try EnvironmentOptions.parse(text, file: "f")
        #expect(variables.count == 4)
        #expect(Array(variables.prefix(3)) == ["A=1 # not a comment", "B=\"quoted\"", "C="])
        #expect(variables[3].hasPrefix("PATH="))
        #expect(try EnvironmentOptions.parse("A=1\u{2028}2\u{85}3\u{0B}4\r5\r\nB=\n", file: "f") == ["A=1\u{2028}2\u{85}3\u{0B}4\r5", "B="])
        let error = try #require(throws: Expected.self) { try EnvironmentOptions.parse("A=1\nB=\u{0}", file: "f") }
        #expect(error.description == "expected --env-file f, line 2: text, found a NUL in it")
        for bad in ["=x", "A B=1", "A B", "\u{FEFF} A=1"] { #expect(throws: Expected.self) { try EnvironmentOptions.parse(bad, file: "f") } }
    }

    @Test("durations are Go's", arguments: [("30s", 30_000), ("1m30s", 90_000), ("500ms", 500), ("1.5h", 5_400_000), ("0", 0), ("1us", 0)] as [(String, UInt64)])
    func durations(text: String, milliseconds: UInt64) throws {
        #expect(try Sizes.milliseconds(text) == milliseconds)
    }

    @Test("what is no duration is refused", arguments: ["", "5", "s", "-1s", "1x", "1.s", ".5s", "1s 2s", "9999999h"])
    func noDurations(text: String) {
        #expect(throws: Expected.self) { try Sizes.milliseconds(text) }
    }

    @Test("templates put fields into text")
    func templates() throws {
        let value = JSONValue.object(["Name": .string("n"), "Count": .integer(3), "List": .array([.string("a"), .string("b")]),
                                      "State": .object(["Status": .string("up \"q\"")])])
        #expect(try FieldTemplate(#"{{.Name}}\t{{ .Count }}-{{.State.Status}}"#).line(value) == "n\t3-up \"q\"")
        #expect(try FieldTemplate("{{json .State}} {{.List}} {{json .List}}").line(value) == #"{"Status":"up \"q\""} a,b ["a","b"]"#)
        #expect(try FieldTemplate("table {{.Name}}\\t{{.ExitCode}}").heading == "NAME\tEXIT CODE")
        for bad in ["{{.Name", "{{Name}}", "{{.A | b}}", "{{upper .Name}}"] { #expect(throws: Expected.self) { try FieldTemplate(bad) } }
        for bad in ["{{.Other}}", "{{.Name.X}}"] { #expect(throws: Expected.self) { try FieldTemplate(bad).line(value) } }
    }

    @Test("one side of a copy is a container's when a name stands before a colon", arguments: [
        ("c:/a", .container("c", "/a")), ("c:a", .container("c", "/a")), ("./c:a", .host("./c:a")), ("/a:b", .host("/a:b")), ("-", .host("-")), ("a", .host("a")),
        (":a", .host(":a")),
    ] as [(String, CopyEnd)])
    func copies(text: String, end: CopyEnd) {
        #expect(CopyEnd(text) == end)
    }
}
