import FoundationEssentials
import LinuxSystem

/// A program that keeps credentials, `docker-credential-NAME` in PATH. Source: docker-credential-helpers' protocol.
struct CredentialHelper: Sendable {
    private let program: String

    /// The name comes from an authentication file; it is one word, so that it cannot lead to another directory.
    init(name: String) throws(RegistryError) {
        let isWord = !name.isEmpty && name.utf8.allSatisfy { byte in
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                || "._-".utf8.contains(byte)
        }
        guard isWord else {
            throw .invalidFile(
                path: "docker-credential-\(shown(name))", reason: "expected a name of letters, digits, dots and dashes")
        }
        program = "docker-credential-\(name)"
    }

    var isInstalled: Bool { findProgram(program) != nil }

    private struct Answer: Decodable {
        let user: String
        let secret: String

        enum CodingKeys: String, CodingKey {
            case user = "Username"
            case secret = "Secret"
        }
    }

    /// Asks the program; nil when it has none for the registry. Blocks until it answers.
    func credentials(for registry: RegistryName) throws(RegistryError) -> Credentials? {
        guard let path = findProgram(program) else {
            throw .invalidFile(path: program, reason: "an authentication file names this program, and it is not in PATH")
        }
        let name = registry.description == RegistryName.dockerHub ? "https://index.docker.io/v1/" : registry.description
        let output: [UInt8]
        do throws(Errno) {
            output = try Self.run(path, "get", input: Array(name.utf8))
        } catch {
            throw .file(path: path, error)
        }
        // One that has none says so in words and fails.
        guard let answer = try? JSONDecoder().decode(Answer.self, from: Data(output)), !answer.secret.isEmpty else { return nil }
        if answer.user == "<token>" { return Credentials(user: answer.user, password: "", identityToken: answer.secret) }
        return Credentials(user: answer.user, password: answer.secret)
    }

    /// Runs a program to its end; returns what it wrote to standard output, at most 1 MiB.
    private static func run(_ path: String, _ argument: String, input: [UInt8]) throws(Errno) -> [UInt8] {
        let inputs = try FileDescriptor.pipe()
        let outputs = try FileDescriptor.pipe()
        let null = try FileDescriptor.open("/dev/null", .writeOnly)
        let process = try Subprocess(path, arguments: [path, argument], descriptors: [inputs.read.raw, outputs.write.raw, null.raw])
        let reader = try outputs.read.duplicate()
        let writer = try inputs.write.duplicate()
        try send(input, to: writer, closing: inputs)
        close(outputs)
        let output = try collect(reader)
        return process.wait() == 0 ? output : []
    }

    /// A name is shorter than a pipe is long. The pipe ends here, so that the program sees its input end.
    private static func send(
        _ bytes: [UInt8], to writer: consuming FileDescriptor, closing pipe: consuming Pipe
    ) throws(Errno) {
        let raw = writer.raw
        let isSent = bytes.withUnsafeBytes { (try? writeAll(raw, $0)) != nil }
        guard isSent else { throw .ioError }
    }

    private static func close(_ pipe: consuming Pipe) {}

    private static func collect(_ reader: borrowing FileDescriptor) throws(Errno) -> [UInt8] {
        var bytes: [UInt8] = []
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 16)
        defer { buffer.deallocate() }
        while bytes.count < 1 << 20 {
            let count = try reader.read(into: buffer)
            if count == 0 { break }
            bytes += buffer[..<count]
        }
        return bytes
    }
}
