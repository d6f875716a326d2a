/// What the command line asks for.
struct Options {
    var directory = ""
    var isList = false
    var only: [String] = []
    var skip: [String] = []
    /// Of the large directory.
    var entryCount = 1000
    var patience: UInt32 = 120
    /// How the 9p mount caches, when it is one: which of its limits are expected.
    var cache: NineP.Cache?
    var isVerbose = false

    static let usage = """
        Usage: fs-conformance DIRECTORY [OPTION…]
               fs-conformance --list
               fs-conformance lock-counter FILE COUNT [PROCESSES]

        Checks whether the file system that DIRECTORY is on behaves as POSIX and Linux say. Exit status: 0 when every case
        passed or does not apply, 1 when one failed, 2 for wrong usage.

          --list            print the names of the cases
          --only PATTERN    only cases whose names contain PATTERN; may be repeated
          --skip PATTERN    no cases whose names contain PATTERN; may be repeated
          --entries N       entries of the large directory (default: 1000)
          --patience N      seconds after which a case is killed (default: 120)
          --nine-p CACHE    the directory is on a 9p mount with cache=none, mmap or loose: what such a mount cannot do
                            must fail as is known, and all else pass
          --verbose         print every case with its time

        lock-counter adds 1 to the number in FILE, COUNT times, each time under a lock of the whole file by fcntl(2);
        with PROCESSES, once that many of it have come.
        """

    /// nil for arguments that make no sense.
    init?(_ arguments: [String]) {
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            switch argument {
            case "--list": isList = true
            case "--verbose": isVerbose = true
            case "--only", "--skip", "--entries", "--patience", "--nine-p":
                guard let value = rest.popFirst(), take(argument, value) else { return nil }
            default:
                guard directory.isEmpty, argument.utf8.first != UInt8(ascii: "-") else { return nil }
                directory = argument
            }
        }
        if directory.isEmpty, !isList { return nil }
    }

    private mutating func take(_ name: String, _ value: String) -> Bool {
        switch name {
        case "--only": only.append(value)
        case "--skip": skip.append(value)
        case "--entries":
            guard let count = Int(value), (10...10_000_000).contains(count) else { return false }
            entryCount = count
        case "--patience":
            guard let seconds = UInt32(value), seconds > 0 else { return false }
            patience = seconds
        default:
            guard let kind = NineP.Cache(rawValue: value) else { return false }
            cache = kind
        }
        return true
    }

    func includes(_ name: String) -> Bool {
        (only.isEmpty || only.contains { contains(name, $0) }) && !skip.contains { contains(name, $0) }
    }
}

func contains(_ name: String, _ part: String) -> Bool {
    let name = Array(name.utf8), part = Array(part.utf8)
    guard part.count <= name.count else { return false }
    return (0...(name.count - part.count)).contains { name[$0...].starts(with: part) }
}
