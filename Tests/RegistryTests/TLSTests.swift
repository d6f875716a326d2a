import LinuxSystem
import OCI
@testable import Registry
import Testing

@Suite("TLS", .needs("openssl"))
struct TLSTests {
    private let image = SampleImage(layerSizes: [1000, 2000])

    /// As a user has it who has configured nothing.
    private func secure(_ place: Workplace) -> RegistryOptions {
        var options = RegistryOptions(authentication: AuthenticationPlaces(option: nil, user: 1, variable: { _ in nil }),
                                      configuration: RegistryConfiguration(), variable: { _ in nil })
        options.retries = RetryPolicy(sleep: { _ in })
        options.certificateDirectory = "\(place.path)/certificates"
        return options
    }

    @Test("a certificate is trusted when its authority is, and is refused otherwise")
    func authority() async throws {
        let (image, place) = (image, try Workplace())
        let server = try await FaultServer(tls: Certificates.serverContext(in: place.path)) { image.reply(to: $0) }
        var options = secure(place)
        #expect(try await place.pull(server, "team/app:v1", options).id == image.id)
        options.certificateDirectory = nil
        let strange = options
        let error = await thrown { try await place.pull(server, "team/app:v1", strange) }
        #expect(error == "https://\(server.host): TLS: the certificate is not trusted: put its authority into "
            + "/etc/containers/certs.d/\(server.host)/ca.crt, or give --tls-verify=false")
        // The directory that the text names, below the user's configuration directory.
        let home = place.path + "/home"
        try makeDirectories("\(home)/containers/certs.d/\(server.host)", permissions: 0o700)
        let bytes = try #require(contents(ofSmallFile: "\(place.path)/certificates/ca.crt"))
        try replaceFile("\(home)/containers/certs.d/\(server.host)/ca.crt", with: bytes, permissions: 0o600)
        options.variable = { $0 == "XDG_CONFIG_HOME" ? home : nil }
        #expect(try await place.pull(server, "team/app:v1", options).id == image.id)
        var unverified = strange
        unverified.verifiesTLS = false
        #expect(try await place.pull(server, "team/app:v1", unverified).id == image.id)
        var named = strange
        named.configuration.insecure = [try RegistryName(server.host)]
        #expect(try await place.pull(server, "team/app:v1", named).id == image.id)
        named.verifiesTLS = true
        let overruled = named
        #expect(await thrown { try await place.pull(server, "team/app:v1", overruled) }.contains("not trusted"))
    }

    @Test("another host's certificate is refused")
    func otherName() async throws {
        let (image, place) = (image, try Workplace())
        let context = try await Certificates.serverContext(in: place.path, names: "DNS:other.example")
        let server = try await FaultServer(tls: context) { image.reply(to: $0) }
        let options = secure(place)
        let error = await thrown { try await place.pull(server, "team/app:v1", options) }
        #expect(error == "https://\(server.host): TLS: the certificate is another host's")
        #expect(server.requests.isEmpty)
    }

    @Test("a server without TLS is not spoken to unless it may be insecure")
    func plain() async throws {
        let (image, place) = (image, try Workplace())
        let server = try await FaultServer { image.reply(to: $0) }
        var options = secure(place)
        options.certificateDirectory = nil
        let strict = options
        let error = await thrown { try await place.pull(server, "team/app:v1", strict) }
        #expect(error.hasPrefix("https://\(server.host): "), "\(error)")
        #expect(server.requests.isEmpty)
    }

    @Test("from TLS no redirect leads to a server without it")
    func downgrade() async throws {
        let (image, place) = (image, try Workplace())
        let plain = try await FaultServer { image.reply(to: $0) }
        let target = plain.host
        let server = try await FaultServer(tls: Certificates.serverContext(in: place.path)) { request in
            guard request.path.contains("/blobs/") else { return image.reply(to: request) }
            return Reply(status: .temporaryRedirect, headers: [("Location", "http://\(target)\(request.path)")])
        }
        for isInsecure in [false, true] {
            var options = secure(place)
            // Not when the registry itself may be insecure, either: it was reached by TLS.
            if isInsecure { options.verifiesTLS = false }
            let chosen = options
            let error = await thrown { try await place.pull(server, "team/app:v1", chosen) }
            #expect(error == "https://\(server.host): a redirect from TLS to \"http://\(target)\", which is not followed")
        }
        #expect(plain.requests.isEmpty)
    }

    @Test("an insecure registry makes no other host insecure")
    func otherHost() async throws {
        let (image, place) = (image, try Workplace())
        let storage = try await FaultServer(tls: Certificates.serverContext(in: place.path)) { image.reply(to: $0) }
        // Another name of the same machine is another host.
        let target = "localhost:\(storage.port)"
        let server = try await FaultServer { request in
            guard request.path.contains("/blobs/") else { return image.reply(to: request) }
            return Reply(status: .temporaryRedirect, headers: [("Location", "https://\(target)\(request.path)")])
        }
        var options = try place.options(server)
        let strict = options
        let error = await thrown { try await place.pull(server, "team/app:v1", strict) }
        #expect(error.hasPrefix("https://\(target): TLS: the certificate is not trusted"))
        options.configuration.insecure.insert(try RegistryName(target))
        #expect(try await place.pull(server, "team/app:v1", options).id == image.id)
    }

    @Test("files of certificates that are none are named", arguments: ["a.crt", "own.cert"])
    func badFiles(name: String) async throws {
        let (image, place) = (image, try Workplace())
        let server = try await FaultServer { image.reply(to: $0) }
        try makeDirectory("\(place.path)/certificates", permissions: 0o700)
        _ = try place.write("no certificate", to: "certificates/\(name)")
        let options = secure(place)
        let error = await thrown { try await place.pull(server, "team/app:v1", options) }
        #expect(error == "\(place.path)/certificates/\(name): expected certificates in PEM format")
        var other = options
        other.certificateDirectory = "/nonexistent"
        let chosen = other
        let second = await thrown { try await place.pull(server, "team/app:v1", chosen) }
        #expect(second == "/nonexistent: No such file or directory")
    }
}
