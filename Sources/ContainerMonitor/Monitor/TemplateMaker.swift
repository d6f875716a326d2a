import AgentProtocol
import LinuxSystem

/// Boots a machine for no container: when its agent has said hello, it is saved as the template of its kind, and ends. On the control
/// loop's thread.
public final class TemplateMaker {
    private let loop: EventLoop
    private let timers: Timers
    private weak var machine: (any ContainerMachine)?
    private var link: AgentLink?
    private var patience: Timers.Token?
    private var isReady = false
    /// Why there will be no template.
    private var failure: String?

    public convenience init(loop: EventLoop) throws(ContainerError) {
        do throws(Errno) {
            self.init(loop: loop, time: try SystemTime(loop))
        } catch {
            throw ContainerError("no timer for a template's maker: \(error)")
        }
    }

    init(loop: EventLoop, time: any TimeSource) {
        self.loop = loop
        timers = Timers(time)
    }

    /// Makes the sockets, before the machine. See `ContainerMonitor.begin`.
    public func begin(_ machine: any ContainerMachine, vsockPath: String?) throws(ContainerError) {
        self.machine = machine
        guard let vsockPath else { throw ContainerError("the machine has no vsock device with unix sockets, by which its agent arrives") }
        let link = try AgentLink(path: vsockPath, loop, timers)
        link.connected = { [unowned self] agent in
            agent.received = { [unowned self] in take($0) }
            agent.failed = { [unowned self] in giveUp("the guest's agent broke the protocol: \($0)") }
            agent.ended = { [unowned self] in giveUp("the guest's agent is gone") }
        }
        self.link = link
    }

    /// The machine runs. Before the loop does.
    public func machineHasStarted() {
        link?.open()
        patience = timers.after(ContainerMonitor.bootTime) { [unowned self] in
            giveUp("the guest's agent did not say hello within \(ContainerMonitor.bootTime / .seconds(1)) s of the start")
        }
    }

    private func take(_ message: AgentMessage) {
        guard case .hello(let version, _) = message, !isReady else { return }
        guard version == AgentChannel.version else {
            return giveUp("the guest's agent speaks version \(version) of the protocol, expected \(AgentChannel.version): its initrd is of another build")
        }
        isReady = true
        timers.cancel(&patience)
        machine?.guestIsReady { [unowned self] in machine?.endMachine() }
    }

    private func giveUp(_ text: String) {
        // Its end while it is saved, or after that, is none of a template's.
        guard !isReady, failure == nil else { return }
        failure = text
        timers.cancel(&patience)
        machine?.endMachine()
    }

    /// The guest runs no further.
    public func machineHasEnded(_ end: MachineEnd) {
        switch end {
        case .poweredOff: giveUp("the virtual machine powered off by itself")
        case .crashed(let text): giveUp("the virtual machine crashed: \(text)")
        }
    }

    /// Nothing is left of the machine.
    public func machineIsGone() {
        link?.end()
        machine?.finish(status: failure == nil ? 0 : 125, message: failure ?? "the machine is ready")
    }

    /// A signal for this process: it ends.
    public func take(_ signal: Signal) {
        switch signal {
        case .windowChange, .hangUp: break
        case .terminate, .interrupt, .quit: giveUp("ended by \(signal.name)")
        }
    }

    /// The guest's agent cannot arrive any more.
    public func closeSockets() { link?.close() }
}
