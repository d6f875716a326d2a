import Glibc
import LinuxSystem
import OCI
import ProcessSupport
@testable import Registry
@testable import svmm_engine
import Testing

@Suite("svmm image and svmm registry")
struct CommandTests {
    /// A store with the images app:v1 (also app:v2) and other:v1.
    private func filled() async throws -> (place: Workplace, app: StoredImage, other: StoredImage) {
        let place = try Workplace()
        var found: [StoredImage] = []
        for (seed, name) in [(UInt64(1), "localhost/app:v1"), (2, "docker.io/library/other:v1")] {
            let image = SampleImage(layerSizes: [100_000], seed: seed)
            let server = try await FaultServer { image.reply(to: $0) }
            let stored = try await place.pull(server)
            try place.store.tag(stored, as: try ImageReference(name))
            try place.store.remove(try ImageReference("\(server.host)/team/app:v1"))
            found.append(stored)
        }
        try place.store.tag(found[0], as: try ImageReference("localhost/app:v2"))
        return (place, found[0], found[1])
    }

    @Test("images are listed as a table, as ids and as JSON")
    func list() async throws {
        let (place, app, other) = try await filled()
        var lines = try await place.svmm("image", "ls").lines
        #expect(lines[0].split(separator: " ").joined(separator: " ") == "REPOSITORY TAG IMAGE ID CREATED SIZE")
        #expect(lines[1].split(separator: " ").joined(separator: " ") == "docker.io/library/other v1 \(other.id.short) unknown 101 kB")
        #expect(lines.count == 4)
        let words = { (line: String) in line.split(separator: " ").map(String.init) }
        #expect(try await place.svmm("images", "-n").lines.map(words) == lines.dropFirst().map(words))
        lines = try await place.svmm("images", "-q").lines
        #expect(lines == [other.id.short, app.id.short])
        lines = try await place.svmm("image", "ls", "--digests", "--no-trunc", "localhost/app").lines
        #expect(lines.count == 3 && lines[1].contains(app.id.description) && lines[1].contains(app.manifest.digest.description))
        #expect(try await place.svmm("image", "ls", "-n", "localhost/app:v2").lines.count == 1)
        let json = try #require(JSONValue(json: Array(try await place.svmm("image", "ls", "--format", "json").output.utf8)))
        guard case .array(let items) = json else { return #expect(Bool(false), "\(json)") }
        #expect(items.map { $0["Id"]?.text } == [other.id.hex, app.id.hex])
        #expect(items[1]["Names"] == .array([.string("localhost/app:v1"), .string("localhost/app:v2")]))
        let empty = try Workplace()
        #expect(try await empty.svmm("image", "ls", "--format", "json").output == "[]\n")
        #expect(try await empty.svmm("image", "ls").lines.count == 1)
    }

    @Test("inspect prints the configuration, and what the store knows")
    func inspect() async throws {
        let (place, app, _) = try await filled()
        let text = try await place.svmm("image", "inspect", "localhost/app:v1", app.id.short).output
        guard case .array(let items)? = JSONValue(json: Array(text.utf8)) else { return #expect(Bool(false), "\(text)") }
        #expect(items.count == 2 && items[0] == items[1])
        #expect(items[0]["Id"] == .string(app.id.hex))
        #expect(items[0]["RepoTags"] == .array([.string("localhost/app:v1"), .string("localhost/app:v2")]))
        #expect(items[0]["RepoDigests"] == .array([.string("localhost/app@\(app.manifest.digest)")]))
        #expect(items[0]["Config"]?["Labels"]?["mark"] == .string(""))
        #expect(items[0]["RootFS"]?["Layers"] == .array(app.configuration.rootfs.diffIDs.map { .string("\($0)") }))
    }

    @Test("a name is taken away, and with the last one the image and its blobs go")
    func remove() async throws {
        let (place, app, other) = try await filled()
        var result = try await place.svmm("image", "rm", app.id.short)
        #expect(result.end == .exited(125))
        #expect(result.errors == "svmm: \(app.id.short): the image has several names (localhost/app:v1, localhost/app:v2): remove them one by one, or give --force\n")
        #expect(try await place.svmm("image", "rm", "localhost/app:v1").output == "Untagged: localhost/app:v1\n")
        result = try await place.svmm("image", "rm", "none", "localhost/app:v2", "nothing")
        #expect(result.end == .exited(125))
        #expect(result.output == "Untagged: localhost/app:v2\nDeleted: \(app.id.hex)\n")
        #expect(result.errors == "svmm: no such image: \"none\"\nsvmm: no such image: \"nothing\"\n")
        #expect(place.blobs.count == 3)
        #expect(try await place.svmm("image", "rm", "-f", "none").end == .exited(0))
        #expect(try await place.svmm("image", "rm", "--all").output == "Untagged: docker.io/library/other:v1\nDeleted: \(other.id.hex)\n")
        #expect(place.blobs.isEmpty)
    }

    @Test("names are given, and images without one are pruned")
    func tagAndPrune() async throws {
        let (place, app, other) = try await filled()
        #expect(try await place.svmm("image", "tag", "localhost/app:v1", "other:v1", "new").end == .exited(0))
        #expect(try place.store.resolve("docker.io/library/new:latest")?.id == app.id)
        #expect(try place.store.resolve("other:v1")?.id == app.id)
        let result = try await place.svmm("image", "prune", "-f")
        #expect(result.lines.first == other.id.hex && result.lines.last?.hasPrefix("Total reclaimed space: 1") == true, "\(result)")
        #expect(place.blobs.count == 3)
        #expect(try await place.svmm("image", "prune", "-a", "-f").lines.count == 2)
        #expect(place.blobs.isEmpty)
    }

    @Test("an image moves through an archive")
    func archives() async throws {
        let (place, app, _) = try await filled()
        let archive = "\(place.path)/app.tar"
        var result = try await place.svmm("image", "save", "-o", archive, "localhost/app:v1")
        #expect(result.end == .exited(0), "\(result.errors)")
        let other = try Workplace()
        result = try await other.svmm("image", "load", "-i", archive)
        #expect(result.output == "Loaded image: localhost/app:v1\nLoaded image: localhost/app:v2\n", "\(result.errors)")
        #expect(try other.store.resolve("localhost/app:v2")?.manifest == app.manifest)
        result = try await Workplace().svmm("image", "pull", "oci-archive:\(archive)")
        #expect(result.output == "\(app.id.hex)\n", "\(result.errors)")
    }

    private static let failing: [([String], Int32)] = [
        (["image", "pull"], 125), (["image", "pull", "--policy", "often", "x"], 125), (["image", "rm"], 125), (["image", "rm", "-a", "x"], 125),
        (["image", "ls", "--format", "{{.ID}}"], 125), (["image", "nonsense"], 125), (["images", "nonsense"], 125), (["registry", "logout"], 125), (["registry", "login", "-u", "a", "-p", "b", "--password-stdin"], 125),
        (["image", "pull", "UPPER"], 125), (["image", "inspect", "none"], 125), (["image", "tag", "none", "x"], 125), (["image", "push", "none"], 125),
        (["image", "save", "none", "-o", "/dev/null"], 125), (["image", "load", "-i", "/nonexistent"], 125), (["image", "pull", "oci:/nonexistent"], 125),
        (["registry", "logout", "none.example"], 125), (["registry", "login", "none.example"], 125), (["registry", "login", "--get-login", "none.example"], 125),
        (["image", "pull", "--platform", "amd64", "x"], 125), (["image", "pull", "--creds", "x", "y"], 125), (["image", "ls", "--root", "/proc/none"], 125),
    ]

    @Test("wrong words and what fails end with a status and one line", arguments: failing)
    func status(arguments: [String], status: Int32) async throws {
        let place = try Workplace()
        let finished = try await place.run(place.command(arguments))
        #expect(finished.end == .exited(status), "\(finished.errors)")
        #expect(finished.errors.hasPrefix("svmm: ") && finished.errors.split(separator: "\n").count == 1, "\(finished.errors)")
    }

    @Test("a password is typed unseen, and the terminal is as it was", arguments: ["secret\r", "\u{3}"])
    func prompt(keys: String) async throws {
        let server = try await FaultServer { request in
            request.authorization == "Basic YWxpY2U6c2VjcmV0" ? Reply() : .error(.unauthorized, headers: [("WWW-Authenticate", "Basic realm=x")])
        }
        let place = try Workplace()
        try await blocking {
            let terminal = try PseudoTerminal()
            let mode = try terminal.mode()
            let process = try ChildProcess(place.command(["registry", "login", "--tls-verify=false", server.host]), on: terminal)
            try terminal.output.wait(for: "Username: ")
            try terminal.type("alice\n")
            // The question comes when what is typed is no longer shown.
            try terminal.output.wait(for: "Password: ")
            try terminal.type(keys)
            #expect(try process.waitForEnd() == .exited(keys == "\u{3}" ? 125 : 0))
            #expect(!terminal.output.text.contains("secret"))
            #expect(try terminal.mode() == mode)
            #expect((place.read("auth.json") != nil) == (keys != "\u{3}"))
        }
    }

    @Test("progress is shown on a terminal, and nowhere else")
    func progress() async throws {
        let image = SampleImage(layerSizes: [3_000_000])
        let server = try await FaultServer { image.reply(to: $0) }
        let place = try Workplace()
        let pull = ["image", "pull", "--tls-verify=false", "\(server.host)/team/app:v1"]
        try await blocking {
            let terminal = try PseudoTerminal()
            try terminal.resize(columns: 100, rows: 30)
            let process = try ChildProcess(place.command(pull), on: terminal)
            #expect(try process.waitForEnd() == .exited(0))
            try terminal.output.wait(for: image.id.hex)
            #expect(terminal.output.text.contains("\(Digest(of: image.layers[0]).short)  3.00 MB"))
        }
        let other = try Workplace()
        let quiet = try await other.run(other.command(pull))
        #expect(quiet.output == "\(image.id.hex)\n" && quiet.errors.isEmpty)
    }

    @Test("what a killed pull has fetched is not fetched again")
    func killed() async throws {
        let image = SampleImage(layerSizes: [1_000_000])
        let layer = Digest(of: image.layers[0])
        let server = try await FaultServer { request in
            var reply = image.reply(to: request)
            if request.path.hasSuffix("\(layer)"), request.rangeStart == nil {
                (reply.length, reply.body, reply.ending) = (reply.body.count, Array(reply.body.prefix(500_000)), .stall)
            }
            return reply
        }
        let place = try Workplace()
        let pull = ["image", "pull", "--tls-verify=false", "\(server.host)/team/app:v1"]
        try await blocking {
            let terminal = try PseudoTerminal()
            let process = try ChildProcess(place.command(pull), on: terminal)
            // What the bar shows is in the file.
            try terminal.output.wait(for: "\(layer.short)  [")
            process.signal(SIGKILL)
            #expect(try process.waitForEnd() == .killed(SIGKILL))
        }
        let finished = try await place.run(place.command(pull))
        #expect(finished.output == "\(image.id.hex)\n", "\(finished.errors)")
        let starts = server.requests(.GET, "\(layer)").map(\.rangeStart)
        #expect(starts.count == 2 && starts[0] == nil && (1...500_000).contains(starts[1] ?? 0), "\(starts)")
        #expect(place.partials.isEmpty)
    }

    @Test("bytes are counted in units of a thousand", arguments: [
        (0, "0 B"), (999, "999 B"), (1000, "1.00 kB"), (1234, "1.23 kB"), (12_345, "12.3 kB"), (123_456, "123 kB"), (999_499, "999 kB"),
        (999_500, "1.00 MB"), (9_999_999, "10.0 MB"), (99_960_000, "100 MB"), (UInt64.max, "18.4 EB"),
    ] as [(UInt64, String)])
    func bytes(count: UInt64, text: String) {
        #expect(ByteCount.text(count) == text)
    }

    @Test("dates are read as RFC 3339 has them", arguments: [
        ("1970-01-01T00:00:10Z", 10), ("2024-02-29T12:34:56.789Z", 1_709_210_096), ("2024-02-29T12:34:56+01:00", 1_709_206_496),
        ("0001-01-01T00:00:00Z", nil), ("2024-13-01T00:00:00Z", nil), ("2024-01-01", nil), ("", nil), ("2024-01-01T00:00:00", nil),
        ("2024-01-01T00:00:00Zx", nil), ("2024-01-01T00:00:00+1:00", nil), ("é024-01-01T00:00:00Z", nil),
    ] as [(String, Int64?)])
    func dates(text: String, seconds: Int64?) {
        #expect(ImageDate(text)?.seconds == seconds)
    }

    @Test("an age is told in one unit", arguments: [(0, "just now"), (1, "1 second ago"), (119, "119 seconds ago"), (120, "2 minutes ago"), (200_000, "2 days ago"), (86_400 * 800, "2 years ago")])
    func ages(passed: Int64, text: String) {
        #expect(ImageDate(seconds: 1000).age(now: 1000 + passed) == text)
    }

    @Test("a bar is as wide as the terminal lets it be")
    func bar() throws {
        let digest = Digest(of: [1])
        #expect(TransferDisplay.bar(digest, 50, of: 100, columns: 60) == "\(digest.short)  [=============>              ]  50 B / 100 B")
        #expect(TransferDisplay.bar(digest, 100, of: 100, columns: 60).contains("[===========================]"))
        for columns in [0, 1, 5, 20, 40, 80, 500] { #expect(TransferDisplay.bar(digest, 1, of: 0, columns: columns).count <= max(columns - 1, 0)) }
    }

    @Test("the store is where the option, the environment or the user's directories say")
    func root() throws {
        #expect(try StoreOptions.standardDirectory(user: 0) { _ in nil } == "/var/lib/svmm")
        #expect(try StoreOptions.standardDirectory(user: 5) { ["HOME": "/h"][$0] } == "/h/.local/share/svmm")
        #expect(try StoreOptions.standardDirectory(user: 5) { ["HOME": "/h", "XDG_DATA_HOME": "/d"][$0] } == "/d/svmm")
        #expect(try StoreOptions.standardDirectory(user: 0) { ["SVMM_ROOT": "/r"][$0] } == "/r")
        #expect(throws: StoreOptions.NoHome.self) { try StoreOptions.standardDirectory(user: 5) { _ in nil } }
    }
}
