/// What the guest has said: the lines of its console that begin with "guest: ", by their first word.
struct Facts {
    private var values: [Substring: [String]] = [:]

    init(console: String) {
        // Swift takes the console's \r\n for one character.
        for line in console.split(whereSeparator: \.isNewline) {
            // A kernel message may have taken the beginning of the line.
            guard let start = line.firstRange(of: "guest: ")?.upperBound else { continue }
            let words = line[start...].split(separator: " ", maxSplits: 1)
            guard let key = words.first else { continue }
            values[key, default: []].append(words.count > 1 ? String(words[1]) : "")
        }
    }

    subscript(key: Substring) -> [String] { values[key] ?? [] }

    /// The number that follows the key.
    func number(_ key: Substring) -> Int? { self[key].first.flatMap { Int($0) } }

    /// How many interrupts all processors together have taken from the line with this name.
    func interrupts(_ name: String) -> Int {
        let words = self["irq"].map { $0.split(separator: " ") }.first { $0.last.map(String.init) == name } ?? []
        return words.dropFirst().prefix { Int($0) != nil }.reduce(0) { $0 + (Int($1) ?? 0) }
    }

    /// The kernel's warnings that nothing in `KernelWarning.expected` explains.
    var unexpectedWarnings: [String] {
        var result: [String] = []
        var isInTrace = false
        var isExplained = false
        for line in self["kmsg"] {
            let text = line.drop { $0 != " " }.dropFirst()
            // A WARN() is many lines between these two; the one after the first says what it is about.
            if text.hasPrefix("------------[ cut here") {
                isInTrace = true
                isExplained = false
            } else if text.hasPrefix("---[ end trace") {
                isInTrace = false
            } else if KernelWarning.expected.contains(where: { $0.applies && text.hasPrefix($0.prefix) }) {
                isExplained = true
            } else if !(isInTrace && isExplained) {
                result.append(line)
            }
        }
        return result
    }
}

/// A kernel message of level warning or worse that is no fault of svmm's.
struct KernelWarning {
    let prefix: String
    var applies = true

    static let expected = [
        // QEMU's software processor reports sizes of extended state that do not add up; the table that follows is the
        // kernel's listing of them. A processor in hardware has none of that.
        KernelWarning(prefix: "XSAVE consistency problem", applies: Requirement.isEmulated),
        KernelWarning(prefix: "CPUID[0d,", applies: Requirement.isEmulated),
        // How long things took that do not depend on svmm: an emulated processor is slow, and shares one of the machine's with others.
        KernelWarning(prefix: "hrtimer: interrupt took", applies: Requirement.isEmulated),
        KernelWarning(prefix: "perf: interrupt took too long", applies: Requirement.isEmulated),
        KernelWarning(prefix: "clocksource: Long readout interval", applies: Requirement.isEmulated),
        KernelWarning(prefix: "sched: RT throttling activated", applies: Requirement.isEmulated),
        // Stock kernels look for PCI, and these machines have none.
        KernelWarning(prefix: "PCI: Fatal: No config space access function found"),
        KernelWarning(prefix: "PCI: System does not support PCI"),
    ]
}
