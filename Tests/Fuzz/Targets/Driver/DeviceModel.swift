import TestSupport
import Virtio

/// A device with its backend, and what a driver of it would ask.
protocol DeviceModel: AnyObject {
    var device: any VirtioDevice { get }
    /// A queue that the device serves as soon as something is in it.
    var servedQueue: Int { get }
    /// When it returns, the device has done what it can with what it was given, unless it waits for the kernel.
    func settle()
    /// A request that a driver could make on this queue, more or less.
    func request(_ input: inout FuzzInput, queue: Int, _ bench: Bench) throws -> [MockDriver.Buffer]
    /// Something happens on the host's side.
    func hostEvent(_ input: inout FuzzInput) throws
    /// A new device with the same backend, as a restored machine has.
    func renewed() throws -> any DeviceModel
    /// Fails unless a driver that has just started the device, with no features but VERSION_1, is served.
    func proveThatItWorks(_ bench: Bench) throws
    /// The run is over, and the device was reset.
    func finish()
}

extension DeviceModel {
    var servedQueue: Int { 0 }
    func hostEvent(_ input: inout FuzzInput) throws {}
    func finish() {}
}
