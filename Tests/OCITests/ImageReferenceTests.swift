import OCI
import Testing

@Suite("Image names")
struct ImageReferenceTests {
    private static let hash = String(repeating: "0123456789abcdef", count: 4)

    @Test("a name is completed as Docker does", arguments: [
        ("debian", "docker.io/library/debian:latest", "debian:latest"),
        ("debian:12", "docker.io/library/debian:12", "debian:12"),
        ("library/debian", "docker.io/library/debian:latest", "debian:latest"),
        ("docker.io/debian", "docker.io/library/debian:latest", "debian:latest"),
        ("index.docker.io/debian", "docker.io/library/debian:latest", "debian:latest"),
        ("user/app:v1.0-rc_1", "docker.io/user/app:v1.0-rc_1", "user/app:v1.0-rc_1"),
        ("user/library/app", "docker.io/user/library/app:latest", "user/library/app:latest"),
        ("localhost/app", "localhost/app:latest", "localhost/app:latest"),
        ("localhost:5000/a/b/c:x", "localhost:5000/a/b/c:x", "localhost:5000/a/b/c:x"),
        ("127.0.0.1:5000/app", "127.0.0.1:5000/app:latest", "127.0.0.1:5000/app:latest"),
        ("[::1]:5000/app", "[::1]:5000/app:latest", "[::1]:5000/app:latest"),
        ("[fd00::1]/app", "[fd00::1]/app:latest", "[fd00::1]/app:latest"),
        ("Registry/app", "Registry/app:latest", "Registry/app:latest"),
        ("quay.io/a__b/c--d.e_f", "quay.io/a__b/c--d.e_f:latest", "quay.io/a__b/c--d.e_f:latest"),
        ("app@sha256:\(hash)", "docker.io/library/app@sha256:\(hash)", "app@sha256:\(hash)"),
        ("ghcr.io/o/app:1@sha256:\(hash)", "ghcr.io/o/app:1@sha256:\(hash)", "ghcr.io/o/app:1@sha256:\(hash)"),
    ])
    func completed(text: String, full: String, familiar: String) throws {
        let reference = try ImageReference(text)
        #expect(reference.description == full)
        #expect(reference.familiar == familiar)
        #expect(try ImageReference(reference.description) == reference)
        #expect(try ImageReference(reference.familiar) == reference)
    }

    @Test("what is no name is refused with a line that says why", arguments: [
        ("", "empty"), ("a b", "expected lower-case"), ("https://docker.io/debian", "without"), ("Debian", "lower case"),
        ("debian:", "tag"), ("debian:.x", "tag"), ("debian:-x", "tag"), ("debian:\(String(repeating: "x", count: 129))", "tag"),
        ("a//b", "empty"), ("/a", "empty"), ("a/", "empty"), ("a/../b", "at the end"), ("-a", "ends"), ("a-", "at the end"),
        ("a___b", "ends"),
        ("a..b/c", "host name"), ("x/a..b", "ends"), ("localhost:0/a", "port"), ("localhost:65536/a", "port"),
        ("localhost:x/a", "port"), ("[x]:1/a", "IPv6"), ("-h.x/a", "host name"), ("a@", "digest"), ("a@md5:00", "unknown algorithm"),
        ("a@sha256:00", "64"), ("a@sha256:\(hash.uppercased())", "64"), (hash, "image id"), ("é", "expected"),
        ("a\nb", "expected"), (String(repeating: "a", count: 300), "255"), (String(repeating: "a", count: 2000), "1024"),
    ])
    func refused(text: String, reason: String) {
        do {
            let reference = try ImageReference(text)
            Issue.record("\(reference)")
        } catch {
            #expect("\(error)".contains(reason), "\(error)")
            #expect(!"\(error)".contains("\n"))
            #expect("\(error)".utf8.count < 500)
        }
    }

    @Test("tags and digests replace each other")
    func variants() throws {
        let reference = try ImageReference("quay.io/a/b:1@sha256:\(Self.hash)")
        #expect(try reference.tagged("2").description == "quay.io/a/b:2")
        #expect(reference.pinned(to: try Digest("sha256:\(Self.hash)")).description == "quay.io/a/b@sha256:\(Self.hash)")
        #expect(throws: ImageError.self) { try reference.tagged("a b") }
        #expect(reference.identifier == "sha256:\(Self.hash)")
    }
}
