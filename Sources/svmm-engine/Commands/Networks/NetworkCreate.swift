import ArgumentParser
import CommandSupport
import Containers
import LinuxSystem
import Networks

struct NetworkCreate: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Make a network.",
        discussion: """
            Without --subnet it gets the first free /24 from 10.89.0.0 on, with --ipv6 also a random /64 of fd00::/8. The host has the first \
            address, containers those that follow. What is made of it on the host is made when a container first runs on it.
            """)

    @Option(parsing: .singleValue, help: ArgumentHelp("Addresses, one subnet of IPv4, of IPv6 or of each.", valueName: "address/bits"),
            transform: { text in
                guard let subnet = Subnet(text) else { throw Expected("a subnet such as 10.1.2.0/24 or fd00:1:2:3::/64, found '\(text)'") }
                return subnet
            })
    var subnet: [Subnet] = []

    @Option(parsing: .singleValue, help: ArgumentHelp("The host's address in a subnet. (default: the first)", valueName: "address"),
            transform: { text in
                guard let address = IPAddress(text) else { throw Expected("an address, found '\(text)'") }
                return address
            })
    var gateway: [IPAddress] = []

    @Option(parsing: .singleValue, help: ArgumentHelp("Addresses in a subnet for containers that ask for none.", valueName: "first-last|address/bits"),
            transform: { text in
                guard let range = AddressRange(text) else { throw Expected("FIRST-LAST or ADDRESS/BITS, found '\(text)'") }
                return range
            })
    var ipRange: [AddressRange] = []

    @Flag(help: "Also IPv6 addresses, where no --subnet has any.")
    var ipv6 = false

    @Flag(help: "Nothing but the host and its containers is reached, from neither side.")
    var `internal` = false

    @Flag(name: .customLong("disable-dns"), help: "Containers do not find each other by name.")
    var disableDNS = false

    @Option(parsing: .singleValue, help: ArgumentHelp("Label of the network.", valueName: "key[=value]"))
    var label: [String] = []

    @Option(name: [.customShort("o"), .customLong("opt")], parsing: .singleValue,
            help: ArgumentHelp("mtu=N: bytes of a packet, 68 to 65520. (default: 1500)", valueName: "mtu=n"))
    var opt: [String] = []

    @Option(name: .shortAndLong, help: ArgumentHelp("bridge: there is no other.", valueName: "name"),
            transform: { text in
                guard text == NetworkSnapshot.driver else { throw Expected("bridge, found '\(text)': networks of other kinds are not made") }
                return text
            })
    var driver = NetworkSnapshot.driver

    @Flag(help: "No error where there is a network of that name; it stays as it is.")
    var ignore = false

    @OptionGroup var store: StoreOptions

    @Argument(help: ArgumentHelp("Name of the network. (default: svmmN with the first free number)", valueName: "name"))
    var name: String?

    func run() async throws {
        let (labels, mtu) = try asUsage { () throws(Expected) in (try EnvironmentOptions.pairs(label), try Self.mtu(opt)) }
        try await Engine.run(store) { engine in
            var request = NetworkRequest(name: name ?? "")
            (request.subnets, request.gateways, request.ranges) = (subnet, gateway, ipRange)
            (request.isVersion6, request.isInternal, request.hasNames) = (ipv6, self.internal, !disableDNS)
            (request.mtu, request.labels) = (mtu, labels)
            if name != nil {
                printLine(try await engine.runtime.createNetwork(request, unlessExisting: ignore).name)
            } else {
                printLine(try await Self.createNumbered(request, engine))
            }
            return 0
        }
    }

    /// With the first name that nobody has.
    private static func createNumbered(_ request: NetworkRequest, _ engine: Engine) async throws(ContainerError) -> String {
        var request = request
        let taken = Set(try await engine.runtime.networks().map(\.network.name))
        for number in 1...UInt32.max where !taken.contains("svmm\(number)") {
            request.name = "svmm\(number)"
            do throws(ContainerError) {
                return try await engine.runtime.createNetwork(request).name
            } catch {
                // Somebody was faster.
                guard error.kind == .nameInUse, number < 100_000 else { throw error }
            }
        }
        throw ContainerError(.failed, "network create: expected a name, as all numbers are taken")
    }

    private static func mtu(_ options: [String]) throws(Expected) -> UInt16? {
        var mtu: UInt16?
        for option in options {
            guard option.hasPrefix("mtu=") || option.hasPrefix("com.docker.network.driver.mtu=") else { throw Expected("-o mtu=N, found '\(option)'") }
            let text = option[option.index(after: option.firstIndex(of: "=") ?? option.startIndex)...]
            mtu = try number(String(text), in: 68...65520, unit: " bytes for mtu=")
        }
        return mtu
    }
}
