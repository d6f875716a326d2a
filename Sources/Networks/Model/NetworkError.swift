/// Why something could not be done with a network: one line for the user.
public struct NetworkError: Error, Equatable, Sendable, CustomStringConvertible {
    public let description: String

    public init(_ text: String) {
        description = text
    }
}
