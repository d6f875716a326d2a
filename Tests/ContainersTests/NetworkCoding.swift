@testable import Containers
import FoundationEssentials

enum NetworkCoding {
    static func roundTrip(_ network: ContainerNetwork) throws -> ContainerNetwork? {
        try decode(String(decoding: try JSONEncoder().encode([network]), as: UTF8.self)).first
    }

    static func decode(_ text: String) throws -> [ContainerNetwork] { try JSONDecoder().decode([ContainerNetwork].self, from: Data(text.utf8)) }
}
