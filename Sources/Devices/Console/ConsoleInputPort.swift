/// Where a console's input goes: a device that takes as much as its guest has room for, and says when it has room again.
public protocol ConsoleInputPort: AnyObject, Sendable {
    /// Takes bytes from the front, as many as there is room for; returns their count. From one thread, the console's.
    func receive(_ bytes: ArraySlice<UInt8>) -> Int
}

extension SerialPort: ConsoleInputPort {}
