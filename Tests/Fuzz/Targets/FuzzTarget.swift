/// A part of the product that takes bytes from somebody it does not trust, and what must hold whatever they are.
///
/// `run` never throws and never traps by itself: what must not happen ends the process, with the target's name, by `violation`.
/// From one thread at a time in a process.
public struct FuzzTarget: Sendable {
    /// As Tools/fuzz and the directories of Tests/Fuzz/Corpus have it.
    public let name: String
    /// Bytes of an input at the most.
    public let maximumLength: Int
    private let body: @Sendable (inout FuzzInput) throws -> Void

    public init(_ name: String, maximumLength: Int = 1024, _ body: @escaping @Sendable (inout FuzzInput) throws -> Void) {
        self.name = name
        self.maximumLength = maximumLength
        self.body = body
    }

    /// Does what these bytes say, and checks what must hold.
    public func run(_ bytes: [UInt8]) {
        Violation.target = name
        var input = FuzzInput(bytes)
        do {
            try body(&input)
        } catch {
            violation("\(error)")
        }
    }
}

enum Violation {
    // Sound: written before the threads of a run are made, read by whichever of them ends the process.
    nonisolated(unsafe) static var target = ""
}
