@testable import Containers
import LinuxSystem
import Networks
import Synchronization
import Testing

/// A host that only notes what is asked of it.
private final class NotedHost: NetworkHost {
    struct State {
        var bridges: [String: HostLink] = [:]
        var scripts: [String] = []
        var settings = ["ipv4/ip_forward": "0", "ipv6/conf/all/disable_ipv6": "0", "ipv6/conf/all/forwarding": "1"]
        var taps = 0
        var refusesRules = false
    }

    let state = Mutex(State())

    func routes() throws(NetworkError) -> [Subnet] { ["172.16.0.0/12"].compactMap { Subnet($0) } }
    func link(_ name: String) throws(NetworkError) -> HostLink? { state.withLock { $0.bridges[name] } }

    func ip(_ lines: [String], for what: String) throws(NetworkError) {
        state.withLock { state in
            for line in lines {
                let words = line.split(separator: " ").map(String.init)
                if line.hasPrefix("link add name ") { state.bridges[words[3]] = HostLink(isBridge: true, alias: "") }
                if line.hasPrefix("link del dev ") { state.bridges[words[3]] = nil }
                if words.count > 4, words[4] == "alias" {
                    state.bridges[words[3]]?.alias = String(line.split(separator: "\"", omittingEmptySubsequences: false)[1])
                }
            }
        }
    }

    func nft(_ script: String, for what: String) throws(NetworkError) {
        let isRefused = state.withLock { state in
            if !state.refusesRules { state.scripts.append(script) }
            return state.refusesRules
        }
        if isRefused { throw NetworkError("\(what): refused") }
    }

    func setting(_ path: String) -> String? { state.withLock { $0.settings[path] } }
    func set(_ path: String, _ value: String) throws(NetworkError) { state.withLock { $0.settings[path] = value } }
    func version6Interfaces() -> [String] { [] }

    func makeTap() throws(NetworkError) -> HostTap {
        let number = state.withLock { state in
            state.taps += 1
            return state.taps
        }
        guard let file = try? FileDescriptor.open("/dev/null", .readWrite) else { throw NetworkError("/dev/null") }
        return HostTap(name: "svmmt\(number)", file: file)
    }
}

@Suite("Networks of a store", .enabled(if: CurrentProcess.user == 0, "needs root: networks are made by nobody else"))
struct NetworkStoreTests {
    private let files: TestStore
    private let host = NotedHost()
    private let networks: NetworkStore

    init() throws {
        files = try TestStore()
        try makeDirectories(files.root, permissions: 0o700)
        networks = NetworkStore(root: files.root, runtime: files.runtime, host: host)
    }

    private func record(_ digit: Character, _ name: String, _ change: (inout ContainerRequest) -> Void = { _ in }) throws -> ContainerRecord {
        let identifier = String(repeating: digit, count: 64)
        var request = ContainerRequest(image: "img")
        request.command = ["x"]
        request.network = .attached([NetworkAttachment(place: "default")])
        change(&request)
        let configuration = try ContainerConfiguration(request, image: ImageSettings(), identifier: identifier,
                                                       host: HostFacts(processors: 1, hasUserNetwork: false, isRoot: true))
        return ContainerRecord(identifier: identifier, name: name, created: 0, image: "img", digest: "", root: "", isTemporary: false,
                               configuration: configuration)
    }

    private func lookup(_ records: ContainerRecord...) -> (String) -> ContainerRecord? {
        { identifier in records.first { $0.identifier == identifier } }
    }

    @Test("an address is given once, and to the same container again; others get those that nobody remembers first")
    func leases() throws {
        let (a, b) = (try record("a", "a"), try record("b", "b"))
        let all = lookup(a, b)
        func addresses(_ record: ContainerRecord) throws -> [String] {
            try networks.attach(record, records: all).interfaces.flatMap { $0.addresses.filter { !$0.address.isVersion6 }.map(\.address.description) }
        }
        #expect(try addresses(a) == ["10.89.0.2"])
        #expect(try addresses(b) == ["10.89.0.3"])
        try networks.release(a.identifier, isGone: false, records: all)
        let c = try record("c", "c")
        #expect(try networks.attach(c, records: all).interfaces[0].addresses[0].address.description == "10.89.0.4")
        #expect(try addresses(a) == ["10.89.0.2"])
        #expect(try networks.holders().count == 3)
        try networks.release(b.identifier, isGone: true, records: all)
        #expect(try networks.endpoints(b).isEmpty)
    }

    @Test("an address that is asked for is refused while another container has it, and whoever only remembered it finds another")
    func wishes() throws {
        let a = try record("a", "a")
        let b = try record("b", "b") { $0.address = "10.89.0.2" }
        let all = lookup(a, b)
        _ = try networks.attach(a, records: all)
        let error = #expect(throws: ContainerError.self) { try networks.attach(b, records: all) }
        #expect(error?.description.contains("10.89.0.2: in use") == true)
        // Nothing is left of what failed.
        #expect(try networks.holders() == [a.identifier])
        try networks.release(a.identifier, isGone: false, records: all)
        _ = try networks.attach(b, records: all)
        #expect(try networks.attach(a, records: all).interfaces[0].addresses[0].address.description == "10.89.0.3")
    }

    @Test("the rules lead published ports to the container, and go with it")
    func rules() throws {
        // Any that is free: it is bound.
        let port = try freePort(address: [127, 0, 0, 1], isStream: true)
        let a = try record("a", "a") { $0.ports = [ContainerPort(address: "127.0.0.1", host: port, container: 80)] }
        let all = lookup(a)
        let attached = try networks.attach(a, records: all)
        #expect(attached.sockets.count == 1)
        #expect(host.state.withLock { $0.scripts.last ?? "" }.contains("ip daddr 127.0.0.1 tcp dport \(port) dnat ip to 10.89.0.2:80"))
        #expect(throws: Errno.addressInUse) { _ = try boundSocket(address: [127, 0, 0, 1], port: port, isStream: true) }
        let b = try record("b", "b") { $0.ports = a.configuration.ports }
        let error = #expect(throws: ContainerError.self) { try networks.attach(b, records: lookup(a, b)) }
        #expect(error?.description.contains("leads to container a already") == true)
        try networks.release(a.identifier, isGone: false, records: all)
        #expect(host.state.withLock { $0.scripts.last } == "table inet \(networks.table)\ndelete table inet \(networks.table)\n")
        withExtendedLifetime(attached) {}
    }

    @Test("what the host refused, or was not told by somebody who was killed, the next one tells it")
    func completion() throws {
        let a = try record("a", "a")
        _ = try networks.attach(a, records: lookup(a))
        host.state.withLock { $0.refusesRules = true }
        try networks.releaseLost(a.identifier, isGone: false)
        #expect(throws: ContainerError.self) { try networks.complete(records: lookup(a)) }
        host.state.withLock { $0.refusesRules = false }
        let count = host.state.withLock { $0.scripts.count }
        try networks.complete(records: lookup(a))
        try networks.complete(records: lookup(a))
        #expect(host.state.withLock { $0.scripts.count } == count + 1)
    }

    @Test("names lead to addresses, one name to those of all who have it")
    func names() throws {
        let alias = NetworkAttachment(place: "default", aliases: ["Web"])
        let (a, b) = (try record("a", "one") { $0.network = .attached([alias]) }, try record("b", "two") { $0.network = .attached([alias]) })
        let all = lookup(a, b)
        _ = try networks.attach(a, records: all)
        _ = try networks.attach(b, records: all)
        let network = try networks.find("default")
        let path = "\(networks.runtime)/\(network.identifier).names"
        let version6 = try #require(network.version6?.subnet.base.description)
        let text = String(decoding: try #require(contents(ofSmallFile: path)), as: UTF8.self)
        #expect(text.contains("one 10.89.0.2,\(version6)2\n") && text.contains("web 10.89.0.2,10.89.0.3,\(version6)2,\(version6)3\n"))
        for container in [a, b] { try networks.release(container.identifier, isGone: true, records: all) }
        #expect((try? fileStatus(at: path)) == nil)
    }

    @Test("a network has one name, and is removed with its interface when nobody runs on it")
    func removal() throws {
        var request = NetworkRequest(name: "lab")
        request.isInternal = true
        let lab = try networks.create(request, unlessExisting: false).network
        #expect(throws: ContainerError.self) { try networks.create(request, unlessExisting: false) }
        #expect(try networks.create(request, unlessExisting: true).network == lab)
        let a = try record("a", "a") { $0.network = .attached([NetworkAttachment(place: "lab")]) }
        let attached = try networks.attach(a, records: lookup(a))
        // Inside, there is no way out.
        #expect(attached.interfaces[0].gateways.isEmpty)
        #expect(host.setting("ipv4/ip_forward") == "0")
        #expect(throws: ContainerError.self) { try networks.remove(lab) }
        try networks.release(a.identifier, isGone: false, records: lookup(a))
        #expect(host.state.withLock { $0.bridges[lab.bridge] } == HostLink(isBridge: true, alias: "svmm network lab"))
        try networks.remove(lab)
        #expect(host.state.withLock { $0.bridges.isEmpty })
        #expect(throws: ContainerError.self) { try networks.find("lab") }
    }

    @Test("an interface of the same name that is somebody else's is left alone, and said")
    func foreignInterface() throws {
        let network = try networks.find("default")
        host.state.withLock { $0.bridges[network.bridge] = HostLink(isBridge: true, alias: "mine") }
        let a = try record("a", "a")
        let error = #expect(throws: ContainerError.self) { try networks.attach(a, records: lookup(a)) }
        #expect(error?.description.contains("not svmm's") == true)
        try networks.remove(network)
        #expect(host.state.withLock { $0.bridges[network.bridge] }?.alias == "mine")
    }

    @Test("a damaged record is nobody's network, and can be removed")
    func damage() throws {
        let network = try networks.find("default")
        try networks.database().write { try $0.execute(sql: "UPDATE network SET settings = '{\"subnets\":[]}'") }
        #expect(try networks.database().networks().isEmpty)
        #expect(throws: ContainerError.self) { try networks.find("default") }
        try networks.removeDamaged("default")
        #expect(try networks.find("default").identifier != network.identifier)
    }
}

@Suite("What a container is connected to")
struct ContainerNetworkTests {
    @Test("words of former versions and lists are read back as they were written", arguments: [
        ContainerNetwork.none, .user, .attached([NetworkAttachment(place: "a", address: IPAddress("10.0.0.2"), mac: [2, 0, 0, 0, 0, 1], aliases: ["x"])]),
    ])
    func coding(network: ContainerNetwork) throws { #expect(try NetworkCoding.roundTrip(network) == network) }

    @Test("a word is what former versions wrote")
    func words() throws {
        #expect(try NetworkCoding.decode(#"["none"]"#) == [.none])
        #expect(try NetworkCoding.decode(#"["user"]"#) == [.user])
        #expect(throws: (any Error).self) { try NetworkCoding.decode(#"["host"]"#) }
        #expect(throws: (any Error).self) { try NetworkCoding.decode(#"[[]]"#) }
    }
}
