import LinuxSystem

/// Units of figures and their decimal places in the table.
enum Unit: String {
    case milliseconds = "ms"
    case mebibytes = "MiB"
    case nanoseconds = "ns"
    case microseconds = "us"
    case perSecond = "1/s"
    case operationsPerSecond = "ops/s"
    case mebibytesPerSecond = "MiB/s"

    var places: Int {
        switch self {
        case .milliseconds, .mebibytes: 2
        case .microseconds, .mebibytesPerSecond: 1
        case .nanoseconds, .operationsPerSecond, .perSecond: 0
        }
    }
}

/// Writes figures as a table to standard output and as JSON lines to a file, each as soon as it is known.
final class Report {
    private let bench: String
    private let json: FileDescriptor?

    init(bench: String, json path: String?) throws {
        self.bench = bench
        guard let path else {
            json = nil
            return
        }
        do {
            json = try FileDescriptor.open(path, [.writeOnly, .create, .truncate], permissions: 0o644)
        } catch {
            throw BenchmarkError("--json \(path): \(error)")
        }
    }

    /// What was measured where: above the table.
    func note(_ name: String, _ text: String) {
        printLine("\(name): \(text)")
    }

    /// Heads the rows of one figure.
    ///
    /// - Parameter unit: nil where there are ratios alone.
    func begin(_ figure: String, _ unit: Unit?) {
        printLine("")
        printLine(row("\(bench)/\(figure)" + (unit.map { ", \($0.rawValue)" } ?? ""), ["median", "min", "max", "n"]))
    }

    func add(_ figure: String, program: String, _ unit: Unit, _ samples: Samples) throws {
        printLine(row("  " + program, numbers(samples, places: unit.places)))
        try addJSON(figure, [("program", program), ("unit", unit.rawValue)], samples)
    }

    /// A program that could not take part.
    func addAbsent(program: String, reason: String) {
        printLine(padded("  " + program, 36) + reason)
    }

    /// Ratios of the pairs of runs, for example of "svmm/qemu-microvm".
    func add(_ figure: String, ratio: String, _ samples: Samples) throws {
        printLine(row("  " + ratio, numbers(samples, places: 3)))
        try addJSON(figure, [("ratio", ratio)], samples)
    }

    private func numbers(_ samples: Samples, places: Int) -> [String] {
        [samples.median, samples.minimum, samples.maximum].map { decimal($0, places: places) } + ["\(samples.count)"]
    }

    private func row(_ title: String, _ columns: [String]) -> String {
        padded(title, 28) + columns.map { String(repeating: " ", count: max(1, 11 - $0.count)) + $0 }.joined()
    }

    private func addJSON(_ figure: String, _ names: [(String, String)], _ samples: Samples) throws {
        if json == nil { return }
        let texts = ([("bench", bench), ("figure", figure)] + names).map { "\"\($0)\":\"\($1)\"" }
        // Texts are names from this program's own source: nothing in them needs an escape. Swift prints a finite Double
        // as JSON wants it.
        var line = "{\(texts.joined(separator: ",")),\"median\":\(samples.median),\"min\":\(samples.minimum),"
            + "\"max\":\(samples.maximum),\"n\":\(samples.count)}\n"
        do {
            try line.withUTF8 { try json?.writeAll(UnsafeRawBufferPointer($0)) }
        } catch {
            throw BenchmarkError("--json: \(error)")
        }
    }
}

/// A number of at least 0 with that many decimal places, rounded.
func decimal(_ value: Double, places: Int) -> String {
    guard value.isFinite, value < 1e15 else { return "\(value)" }
    var scale = 1.0
    for _ in 0..<places { scale *= 10 }
    let digits = String(UInt64((value * scale).rounded()))
    if places == 0 { return digits }
    let filled = String(repeating: "0", count: max(0, places + 1 - digits.count)) + digits
    return "\(filled.dropLast(places)).\(filled.suffix(places))"
}

/// At least that many columns, and a space in any case.
private func padded(_ text: String, _ columns: Int) -> String {
    text + String(repeating: " ", count: max(1, columns - text.count))
}
