import LinuxSystem
import NIOSSL
@testable import Registry

/// Certificates of an authority of a test's own, made by openssl.
enum Certificates {
    /// Makes server.crt and server.key, and the authority's certificates/ca.crt.
    static func make(in path: String, names: String = "DNS:localhost,IP:127.0.0.1") throws {
        try makeDirectory("\(path)/certificates", permissions: 0o700)
        try Tool.runHere(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "\(path)/ca.key",
                          "-out", "\(path)/certificates/ca.crt", "-days", "2", "-subj", "/CN=authority of a test"])
        try Tool.runHere(["openssl", "req", "-newkey", "rsa:2048", "-nodes", "-keyout", "\(path)/server.key",
                          "-out", "\(path)/server.csr", "-subj", "/CN=server of a test"])
        try replaceFile("\(path)/names", with: Array("subjectAltName=\(names)".utf8), permissions: 0o600)
        try Tool.runHere(["openssl", "x509", "-req", "-in", "\(path)/server.csr", "-CA", "\(path)/certificates/ca.crt",
                          "-CAkey", "\(path)/ca.key", "-CAcreateserial", "-days", "2", "-out", "\(path)/server.crt",
                          "-extfile", "\(path)/names"])
    }

    /// What a server with these certificates needs.
    static func serverContext(in path: String, names: String = "DNS:localhost,IP:127.0.0.1") async throws -> NIOSSLContext {
        try await blocking { try make(in: path, names: names) }
        let chain = try NIOSSLCertificate.fromPEMFile("\(path)/server.crt").map { NIOSSLCertificateSource.certificate($0) }
        let key = NIOSSLPrivateKeySource.privateKey(try NIOSSLPrivateKey(file: "\(path)/server.key", format: .pem))
        return try NIOSSLContext(configuration: .makeServerConfiguration(certificateChain: chain, privateKey: key))
    }
}
