import AgentProtocol

/// Texts with names from the container in them may be longer than a message's field; the host would take the message for none.
extension AgentReply {
    public var clipped: AgentReply {
        switch self {
        case .failed(let failure): .failed(AgentFailure(failure.kind, ClippedText.clip(failure.text, 4000)))
        case .status(let status): .status(PathStatus(mode: status.mode, size: status.size, target: ClippedText.clip(status.target, 4096)))
        default: self
        }
    }
}

public enum ClippedText {
    /// As many whole characters as fit into so many bytes of UTF-8.
    public static func clip(_ text: String, _ limit: Int) -> String {
        guard text.utf8.count > limit else { return text }
        var bytes = Array(text.utf8.prefix(max(limit, 0)))
        // The last character may have been cut: its bytes but the first begin with the bits 10.
        if let next = text.utf8.dropFirst(bytes.count).first, next & 0xc0 == 0x80 {
            while let last = bytes.popLast(), last & 0xc0 == 0x80 {}
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
