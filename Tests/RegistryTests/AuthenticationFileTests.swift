import Glibc
import LinuxSystem
@testable import Registry
import Testing

@Suite("Authentication files")
struct AuthenticationFileTests {
    private func file(_ text: String) throws -> AuthenticationFile {
        try AuthenticationFile(json: Array(text.utf8), path: "f")
    }

    /// alice:secret, bob:b, and one that Docker has padded with a NUL.
    private let sample = """
        {"auths":{"quay.io":{"auth":"YWxpY2U6c2VjcmV0"},"quay.io/team":{"auth":"Ym9iOmI="},"quay.io/team/app":{"auth":"Y2Fyb2w6Yzpj"},
        "https://index.docker.io/v1/":{"auth":"ZGF2ZTpkAA=="},"empty.example":{},"bad.example":{"auth":"%%%"},"nocolon.example":{"auth":"eA=="},
        "old.example/":{"username":"eve","password":"e"},"token.example":{"identitytoken":"t0"}},
        "HttpHeaders":{"User-Agent":"x"},"credHelpers":{"h.example":"none-of-these"},"n":[1,2.5,true,null,-3]}
        """

    @Test("the longest namespace that has credentials decides", arguments: [
        ("quay.io", "other/x", "alice"), ("quay.io", "team/x", "bob"), ("quay.io", "team/app", "carol"), ("quay.io", "team/app/sub", "carol"),
        ("quay.io", "teams", "alice"), ("docker.io", "library/debian", "dave"), ("index.docker.io", nil, "dave"), ("old.example", nil, "eve"),
        ("token.example", "x", "<token>"), ("empty.example", nil, nil), ("bad.example", nil, nil), ("nocolon.example", nil, nil),
        ("io", nil, nil), ("quay.io:5000", "team/app", nil),
    ] as [(String, String?, String?)])
    func lookup(registry: String, repository: String?, user: String?) throws {
        #expect(try file(sample).credentials(for: RegistryName(registry), repository: repository)?.user == user)
    }

    @Test("passwords may have colons, and NULs at the end are Docker's")
    func passwords() throws {
        #expect(try file(sample).credentials(for: RegistryName("quay.io"), repository: "team/app")?.password == "c:c")
        #expect(try file(sample).credentials(for: RegistryName("docker.io"))?.password == "d")
        #expect(try file(sample).credentials(for: RegistryName("token.example"))?.identityToken == "t0")
    }

    @Test("what else is in the file stays")
    func preserved() throws {
        var changed = try file(sample)
        changed.set(Credentials(user: "zoe", password: "ü\"\\\n"), for: try AuthenticationKey("new.example:5000"))
        let again = try AuthenticationFile(json: changed.encoded, path: "f")
        #expect(again == changed)
        #expect(try again.credentials(for: RegistryName("new.example:5000"))?.password == "ü\"\\\n")
        #expect(try again.credentials(for: RegistryName("quay.io"))?.user == "alice")
        #expect(again.helper(for: try RegistryName("h.example"))?.name == "none-of-these")
        let text = String(decoding: changed.encoded, as: UTF8.self)
        for part in ["\"User-Agent\": \"x\"", "2.5", "null", "-3", "\"empty.example\": {}"] { #expect(text.contains(part), "\(part)") }
        var removed = again
        #expect(removed.remove(try AuthenticationKey("new.example:5000")))
        #expect(try removed == file(sample))
        #expect(!removed.remove(try AuthenticationKey("new.example:5000")))
    }

    @Test("all names of Docker's registry are one")
    func dockerNames() throws {
        var changed = try file(sample)
        changed.set(Credentials(user: "new", password: "n"), for: try AuthenticationKey("registry-1.docker.io"))
        #expect(changed.keys.filter { $0.contains("docker.io") } == ["docker.io"])
        #expect(try changed.credentials(for: RegistryName("docker.io"))?.user == "new")
        #expect(changed.remove(try AuthenticationKey("https://index.docker.io/v1/".replacing("/v1/", with: ""))))
        #expect(try changed.credentials(for: RegistryName("docker.io")) == nil)
    }

    @Test("a file that is none is an error that names it", arguments: ["[]", "{", "\"x\"", #"{"auths":[]}"#, #"{"auths":"x"}"#, "{}x"])
    func malformed(text: String) {
        #expect(throws: RegistryError.self) { try file(text) }
    }

    @Test("an empty file, or none, has nothing", arguments: ["", "  \n", "{}", #"{"auths":null}"#, #"{"auths":{}}"#])
    func empty(text: String) throws {
        #expect(try file(text).keys.isEmpty)
    }

    @Test("the places are podman's and Docker's", arguments: [
        (["XDG_RUNTIME_DIR": "/run/user/7", "HOME": "/h"], ["/run/user/7/containers/auth.json", "/h/.config/containers/auth.json", "/h/.docker/config.json"]),
        (["HOME": "/h"], ["/run/containers/7/auth.json", "/h/.config/containers/auth.json", "/h/.docker/config.json"]),
        (["XDG_CONFIG_HOME": "/c", "DOCKER_CONFIG": "/d", "XDG_RUNTIME_DIR": ""], ["/run/containers/7/auth.json", "/c/containers/auth.json", "/d/config.json"]),
        (["REGISTRY_AUTH_FILE": "/a", "HOME": "/h"], ["/a"]), ([:], ["/run/containers/7/auth.json"]),
    ])
    func places(variables: [String: String], paths: [String]) {
        let found = AuthenticationPlaces(option: nil, user: 7) { variables[$0] }
        #expect(found.read == paths)
        #expect(found.isNamed == (variables["REGISTRY_AUTH_FILE"] != nil))
        #expect(AuthenticationPlaces(option: "/o", user: 7) { variables[$0] }.read == ["/o"])
    }

    @Test("the file is made for its owner only, whatever its mode was, and others are read after it")
    func written() throws {
        let place = try Workplace()
        let variables = ["XDG_RUNTIME_DIR": place.path + "/run", "HOME": place.path + "/home"]
        let store = CredentialStore(AuthenticationPlaces(option: nil, user: 7) { variables[$0] })
        let (quay, other) = (try RegistryName("quay.io"), try RegistryName("other.example"))
        #expect(try store.credentials(for: quay) == nil)
        try store.set(Credentials(user: "a", password: "b"), for: try AuthenticationKey("quay.io"))
        let path = place.path + "/run/containers/auth.json"
        chmod(path, 0o644)
        try store.set(Credentials(user: "c", password: "d"), for: try AuthenticationKey("other.example"))
        var status = stat()
        #expect(stat(path, &status) == 0 && status.st_mode & 0o7777 == 0o600)
        #expect(try store.credentials(for: quay)?.user == "a")
        #expect(try names(inDirectory: place.path + "/run/containers") == ["auth.json"])
        try makeDirectories(place.path + "/home/.docker", permissions: 0o700)
        _ = try place.write(#"{"auths":{"third.example":{"auth":"YWxpY2U6c2VjcmV0"}}}"#, to: "home/.docker/config.json")
        #expect(try store.credentials(for: RegistryName("third.example"))?.user == "alice")
        #expect(try store.otherFile(with: RegistryName("third.example")) == place.path + "/home/.docker/config.json")
        #expect(try store.remove(AuthenticationKey("other.example")))
        #expect(try store.credentials(for: other) == nil)
        try store.removeAll()
        #expect(try store.credentials(for: quay) == nil)
        #expect(place.read("run/containers/auth.json") == "{\n  \"auths\": {}\n}\n")
    }

    @Test("a file that was named must be there to be read")
    func named() throws {
        let place = try Workplace()
        let store = CredentialStore(AuthenticationPlaces(file: place.path + "/none"))
        #expect(throws: RegistryError.file(path: place.path + "/none", .noEntry)) { try store.credentials(for: RegistryName("quay.io")) }
    }

    @Test("many writers lose nothing")
    func concurrent() async throws {
        let place = try Workplace()
        let path = place.path + "/auth.json"
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<20 {
                group.addTask {
                    try CredentialStore(AuthenticationPlaces(file: path).forWriting)
                        .set(Credentials(user: "u", password: "p"), for: try AuthenticationKey("r\(number).example"))
                }
            }
            try await group.waitForAll()
        }
        #expect(try AuthenticationFile(json: Array((place.read("auth.json") ?? "").utf8), path: path).keys.count == 20)
    }

    @Test("a helper keeps the credentials where the file says so")
    func helper() async throws {
        #expect(throws: RegistryError.self) { try CredentialHelper(name: "../bin/sh") }
        #expect(throws: RegistryError.self) { try CredentialHelper(name: "none-of-these").credentials(for: RegistryName("h.example")) }
        let place = try Workplace()
        let path = try place.write(#"{"credsStore":"none-of-these"}"#, to: "all.json")
        // One for all registries that is not there is passed over.
        #expect(try CredentialStore(AuthenticationPlaces(file: path)).credentials(for: RegistryName("h.example")) == nil)
        let program = try place.write("""
            #!/bin/sh
            read name
            [ "$1 $name" = "get h.example:5000" ] || { echo no such; exit 1; }
            echo '{"ServerURL":"x","Username":"helped","Secret":"s"}'
            """, to: "docker-credential-test")
        chmod(program, 0o700)
        _ = try place.write(#"{"credHelpers":{"h.example:5000":"test","other.example":"test"}}"#, to: "auth.json")
        let environment = ["PATH=\(place.path):/usr/bin:/bin"]
        #expect(try await place.svmm("registry", "login", "--get-login", "h.example:5000", environment: environment).output == "helped\n")
        let other = try await place.svmm("registry", "login", "--get-login", "other.example", environment: environment)
        #expect(other.errors == "svmm: other.example: not logged in\n")
    }
}
