extension ImageReference {
    /// Parses a name as a person types it. The grammar is that of the distribution project's references.
    public init(_ text: String) throws(ImageError) {
        let fail = { (reason: String) in ImageError.invalidReference(text, reason: reason) }
        guard !text.isEmpty else { throw fail("it is empty; expected [REGISTRY/]REPOSITORY[:TAG][@DIGEST]") }
        guard text.utf8.count <= 1024 else { throw fail("longer than 1024 bytes") }
        if let separator = text.firstRange(of: "://") {
            throw fail("expected a name without \(quoted(text[..<separator.upperBound]))")
        }

        var rest = text[...]
        var digest: Digest?
        if let at = rest.firstIndex(of: "@") {
            do throws(ImageError) {
                digest = try Digest(String(rest[rest.index(after: at)...]))
            } catch {
                guard case .invalidDigest(_, let reason) = error else { throw error }
                throw fail("digest: \(reason)")
            }
            rest = rest[..<at]
        }
        var tag: String?
        let lastSlash = rest.lastIndex(of: "/")
        if let colon = rest.lastIndex(of: ":"), lastSlash.map({ $0 < colon }) ?? true {
            let found = String(rest[rest.index(after: colon)...])
            try Self.check(tag: found, of: text)
            tag = found
            rest = rest[..<colon]
        }

        var components = rest.split(separator: "/", omittingEmptySubsequences: false)
        var registry = Self.defaultRegistry
        if components.count > 1, Self.isRegistry(components[0]) {
            registry = try Self.registry(components.removeFirst(), of: text)
        }
        for component in components {
            try Self.check(component: component, of: text)
        }
        if registry == Self.defaultRegistry, components.count == 1 { components.insert("library", at: 0) }
        let repository = components.joined(separator: "/")
        guard registry.utf8.count + 1 + repository.utf8.count <= 255 else {
            throw fail("registry and repository are longer than 255 bytes")
        }
        if digest == nil, tag == nil, text.utf8.count == 64, text.utf8.allSatisfy(Digest.isDigit) {
            throw fail("64 hexadecimal digits are an image id")
        }
        self.init(registry: registry, repository: repository, tag: tag ?? (digest == nil ? Self.defaultTag : nil),
                  digest: digest)
    }

    private static func isRegistry(_ component: Substring) -> Bool {
        component.contains(".") || component.contains(":") || component == "localhost"
            || component.contains { $0.isUppercase }
    }

    /// A host name or an address in brackets, and a port.
    private static func registry(_ component: Substring, of text: String) throws(ImageError) -> String {
        let fail = { (reason: String) in
            ImageError.invalidReference(text, reason: "registry \(quoted(component)): \(reason)")
        }
        var host = component
        let portColon = component.lastIndex(of: ":")
        if let colon = portColon, !component.hasSuffix("]") {
            let port = component[component.index(after: colon)...]
            guard let number = UInt16(port), number > 0, port.utf8.count <= 5, port.utf8.allSatisfy(Self.isNumeral) else {
                throw fail("expected a port of 1 to 65535")
            }
            host = component[..<colon]
        }
        if host.hasPrefix("["), host.hasSuffix("]") {
            let address = host.dropFirst().dropLast()
            let isAddress = address.utf8.allSatisfy { byte in
                Digest.isDigit(byte) || (UInt8(ascii: "A")...UInt8(ascii: "F")).contains(byte) || ":.".utf8.contains(byte)
            }
            guard isAddress, address.contains(":") else { throw fail("expected an IPv6 address in the brackets") }
        } else {
            for label in host.split(separator: ".", omittingEmptySubsequences: false) {
                let bytes = label.utf8
                let isLabel = bytes.allSatisfy { isLetter($0) || isNumeral($0) || $0 == UInt8(ascii: "-") }
                guard isLabel, let first = bytes.first, let last = bytes.last, first != UInt8(ascii: "-"),
                      last != UInt8(ascii: "-")
                else { throw fail("expected a host name") }
            }
        }
        return component == "index.docker.io" || component == "registry-1.docker.io" ? defaultRegistry : String(component)
    }

    /// Lower-case letters and digits, with `.`, `_`, `__` or dashes between them.
    private static func check(component: Substring, of text: String) throws(ImageError) {
        let fail = { (reason: String) in ImageError.invalidReference(text, reason: reason) }
        guard !component.isEmpty else { throw fail("a component of the repository is empty") }
        guard !component.contains(where: { $0.isUppercase }) else { throw fail("a repository is written in lower case") }
        var separator: [UInt8] = []
        var isAtStart = true
        for byte in component.utf8 {
            if isLetter(byte) || isNumeral(byte) {
                guard separator.isEmpty || (!isAtStart && isSeparator(separator)) else {
                    throw fail("""
                        \(quoted(component)): letters and digits stand at both ends, one ".", one or two "_" or dashes between them
                        """)
                }
                separator = []
                isAtStart = false
            } else if "._-".utf8.contains(byte) {
                separator.append(byte)
            } else {
                throw fail("\(quoted(component)): expected lower-case letters, digits, \".\", \"_\" and \"-\"")
            }
        }
        guard separator.isEmpty else {
            throw fail("\(quoted(component)): expected a letter or digit at the end")
        }
    }

    private static func isSeparator(_ bytes: [UInt8]) -> Bool {
        bytes == Array(".".utf8) || bytes == Array("_".utf8) || bytes == Array("__".utf8)
            || bytes.allSatisfy { $0 == UInt8(ascii: "-") }
    }

    static func check(tag: String, of text: String) throws(ImageError) {
        let isTag = tag.utf8.allSatisfy { isLetter($0) || isNumeral($0) || "_.-".utf8.contains($0) }
        guard isTag, let first = tag.utf8.first, first != UInt8(ascii: "."), first != UInt8(ascii: "-"),
              tag.utf8.count <= 128
        else {
            throw .invalidReference(
                text, reason: """
                    tag \(quoted(tag)): expected up to 128 letters, digits, "_", "." and "-", the last two not first
                    """)
        }
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }

    private static func isNumeral(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }
}
