// Runs a command in a temporary container, and prints what it says: run-container IMAGE COMMAND [ARGUMENT…]
//
// An example for the module Containers. The image is one that `svmm image ls` shows, in the store that `svmm` uses.

import Containers
import OCI

@main
struct RunContainer {
    static func main() async throws {
        let words = Array(CommandLine.arguments.dropFirst())
        guard words.count >= 2 else { return print("usage: run-container IMAGE COMMAND [ARGUMENT…]") }

        let root = try ContainerRuntime.defaultRoot()
        let store = try ImageStore(root: root)
        let images = StoredImages(store)
        let runtime = try await ContainerRuntime(root: root, images: images)
        guard let image = try store.resolve(words[0]) else { return print("\(words[0]): no such image; svmm image pull fetches it") }
        // Unpacked once for all containers of the image.
        let prepared = try await images.prepare(image, name: words[0])

        var request = ContainerRequest(image: words[0])
        request.command = Array(words.dropFirst())
        request.isTemporary = true
        request.labels = ["example": "run-container"]
        let session = try await runtime.run(request, from: prepared, options: StartOptions(streams: [.output, .errors], cleansUp: true))
        print("container \(session.record.name) runs")

        while let event = try await session.next() {
            switch event {
            case .started: break
            case .output(let bytes), .errors(let bytes): print(String(decoding: bytes, as: UTF8.self), terminator: "")
            case .exited(let exit): print("it ended with status \(exit.status)\(exit.wasOutOfMemory ? ", out of memory" : "")")
            }
        }
        try await runtime.removeEnded(session.record)
    }
}
