/// What was typed, in words that the parser takes as podman and Docker do.
enum CommandWords {
    /// podman's words for commands that are below another one here.
    static let elsewhere: [String: [String]] = [
        "pull": ["image", "pull"], "push": ["image", "push"], "rmi": ["image", "rm"], "tag": ["image", "tag"], "save": ["image", "save"],
        "load": ["image", "load"], "login": ["registry", "login"], "logout": ["registry", "logout"], "info": ["system", "info"],
    ]

    /// The words that have commands behind them, and other spellings of those.
    private static let groups = [
        "container": "container", "containers": "container", "image": "image", "images": "image", "registry": "registry", "system": "system",
        "network": "network", "volume": "volume", "volumes": "volume",
    ]

    /// Short options with a value. What is no container's command has its group's name before it. A test compares this and `flags` with the
    /// commands.
    static let shortValues: [String: String] = [
        "run": "evphmuwl", "create": "evphmuwl", "exec": "euw", "ls": "fn", "list": "fn", "ps": "fn", "inspect": "f", "logs": "n", "stop": "t",
        "restart": "t", "kill": "s", "export": "o", "events": "f", "image save": "o", "image load": "i", "registry login": "up",
        "system info": "f", "system warm": "m", "network inspect": "f", "network ls": "f", "network list": "f", "network create": "od",
        "volume create": "ol", "volume ls": "f", "volume list": "f", "volume inspect": "f", "volume resize": "s",
    ]

    /// Long options without a value.
    static let flags: Set<String> = [
        "all", "archive", "attach", "boot", "cold", "detach", "digests", "disable-dns", "follow", "follow-link", "force", "get-login", "help", "ignore",
        "init", "interactive", "internal", "ipv6", "latest", "no-forward", "no-healthcheck", "no-stdin", "no-stream", "no-trunc", "noheading",
        "password-stdin", "privileged", "publish-all", "quiet", "read-only", "rm", "stream", "timestamps", "tty", "verbose", "version", "volumes",
    ]

    /// Their first word that is no option begins what is a container's.
    private static let passing: Set<String> = ["run", "create", "exec"]

    static func spelledOut(_ arguments: some Collection<String>) -> [String] {
        var words = Array(arguments)
        guard let first = words.first else { return words }
        if let command = elsewhere[first] { words.replaceSubrange(0..<1, with: command) }
        // Only that word: `svmm image` with a misspelt subcommand is an error.
        if first == "images" {
            let next = words.dropFirst().first
            if next == nil || (next?.hasPrefix("-") == true && next != "-h" && next != "--help") { words.insert("ls", at: 1) }
        }
        let group = groups[words[0]]
        let start = group == nil ? 1 : 2
        guard words.count > start else { return words }
        let name = words[start - 1]
        let command = group == nil || group == "container" ? name : "\(group ?? "") \(name)"
        return words[..<start] + options(words[start...], shortValues: shortValues[command] ?? "", endAtWord: passing.contains(command))
    }

    /// The parser drops the empty value of `--name=`, and takes `-eA=1` for a long name: both become two words.
    private static func options(_ words: ArraySlice<String>, shortValues: String, endAtWord: Bool) -> [String] {
        var result: [String] = []
        var rest = words
        while let word = rest.first, word != "--" {
            guard word.hasPrefix("-"), word != "-" else {
                if endAtWord { break }
                result.append(word)
                rest.removeFirst()
                continue
            }
            rest.removeFirst()
            let (parts, needsValue) = word.hasPrefix("--") ? long(word) : short(word, shortValues)
            result += parts
            if needsValue, let value = rest.popFirst() { result.append(value) }
        }
        return result + rest
    }

    /// One word's parts, and whether the next word is its value.
    private static func long(_ word: String) -> ([String], needsValue: Bool) {
        let name = word.dropFirst(2).prefix { $0 != "=" }
        let isFlag = flags.contains(String(name))
        if word.hasSuffix("="), name.count + 3 == word.count, !isFlag { return (["--\(name)", ""], false) }
        return ([word], !isFlag && name.count + 2 == word.count)
    }

    private static func short(_ word: String, _ shortValues: String) -> ([String], needsValue: Bool) {
        let letters = word.dropFirst()
        guard let place = letters.firstIndex(where: shortValues.contains) else { return ([word], false) }
        let value = letters[letters.index(after: place)...]
        guard value.contains("=") else { return ([word], value.isEmpty) }
        let flags = letters[..<place]
        return ((flags.isEmpty ? [] : ["-\(flags)"]) + ["-\(letters[place])", String(value.hasPrefix("=") ? value.dropFirst() : value)], false)
    }
}
