import LinuxSystem

/// A network's names and their addresses.
public struct NameTable: Equatable, Sendable {
    /// More than any file of names has; what is longer is cut.
    static let largestFile = 1 << 20
    /// Of one name, and names of one address.
    static let mostPerKey = 64

    private var addresses: [DomainName: [InternetAddress]] = [:]
    private var names: [InternetAddress: [DomainName]] = [:]

    public init() {}

    /// Of a file's bytes: `NAME IP[,IP…]` in each line, names and addresses as often as wanted. Lines that are empty, begin with `#` or
    /// cannot be read count as not there.
    public init(parsing bytes: some Sequence<UInt8>) {
        for line in Array(bytes).split(separator: UInt8(ascii: "\n")) {
            let words = line.split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") || $0 == UInt8(ascii: "\r") }
            guard words.count == 2, words[0].first != UInt8(ascii: "#"),
                  let name = DomainName(String(decoding: words[0], as: UTF8.self)), name.labelCount > 0 else { continue }
            for text in words[1].split(separator: UInt8(ascii: ",")) {
                if let address = InternetAddress(String(decoding: text, as: UTF8.self)) { add(name, address.withoutScope) }
            }
        }
    }

    private mutating func add(_ name: DomainName, _ address: InternetAddress) {
        let (ofName, ofAddress) = (addresses[name, default: []], names[address, default: []])
        guard !ofName.contains(address), ofName.count < Self.mostPerKey else { return }
        addresses[name, default: []].append(address)
        if ofAddress.count < Self.mostPerKey { names[address, default: []].append(name) }
    }

    public var isEmpty: Bool { addresses.isEmpty }

    /// In the file's order; nil: no such name.
    func addresses(of name: DomainName) -> [InternetAddress]? { addresses[name] }

    /// In the file's order; nil: no such address.
    func names(of address: InternetAddress) -> [DomainName]? { names[address.withoutScope] }
}
