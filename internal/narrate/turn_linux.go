package narrate

import (
	"encoding/json"
	"os"

	"golang.org/x/sys/unix"
)

// The two sides take turns over a socket, whose container's end is file
// descriptor 3 of the new process:
//
//	host → container   hello: how to speak. The container's side may begin.
//	container → host   ready: all is said but the execve, which is announced.
//	host → container   go: the host has said its wait, now become the command.
//	container → host   end of file: execve closed the socket, the command runs.
//	                   Or failed: execve returned.
const containerEnd = 3

type hello struct {
	Config
	OwnGroup bool // move to a process group of your own before you are ready
}

type ready struct {
	Execve record // for -json: printed once it is known to have worked
}

// turns is the host's end of the conversation.
var turns struct {
	host, container int // file descriptors, 0 for none
	execve          record
}

// Files returns the file descriptors for the new process: stdin, stdout,
// stderr, and its end of the socket over which the two sides take turns.
func Files() []uintptr {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		Fail(&CallError{Call: "socketpair(AF_UNIX, SOCK_SEQPACKET|SOCK_CLOEXEC, 0, …)", Err: err})
	}
	turns.host, turns.container = pair[0], pair[1]
	return []uintptr{0, 1, 2, uintptr(pair[1])}
}

// Begin lets the container's side speak, and returns when it is about to
// become the command, or has failed. Then it draws the isolation board.
func Begin(pid int) {
	unix.Close(turns.container)
	send(turns.host, hello{Config: config, OwnGroup: terminal.foreground})
	var r ready
	if !receive(turns.host, &r) {
		return // it failed and has said why: the wait will return at once
	}
	turns.execve = r.Execve
	lastSpeaker = Container
	Board(pid)
}

// Wait narrates the call that waits for the command to end. Between saying so
// and doing so, it lets the container's side become the command.
func Wait(why, call string, do func() error) {
	stopIfInterrupted()
	announce(why, call, false)
	pause()
	host.running()
	terminal.give(host.pid)
	send(turns.host, "go")
	var failed string
	if !receive(turns.host, &failed) && turns.execve.Call != "" && config.JSON && !config.Quiet {
		turns.execve.print()
	}
	err := do()
	host.ended()
	terminal.restore()
	if err := answer(why, call, 0, err); err != nil {
		Fail(err)
	}
}

// Become narrates the execve with which the container's side becomes the
// command. It returns only by ending the program: with exit status 127 when
// the command is not there, and 126 when it cannot be run.
func Become(why, call string, do func() error) {
	announce(why, call, false)
	if container.hello.OwnGroup {
		unix.Setpgid(0, 0)
	}
	var r ready
	if config.JSON {
		r.Execve = newRecord(why, call)
	}
	if !send(containerEnd, r) { // an argument list may be larger than a message
		send(containerEnd, ready{})
	}
	var goAhead string
	if !receive(containerEnd, &goAhead) {
		os.Exit(StatusFailed)
	}
	err := answer(why, call, 0, do())
	send(containerEnd, "failed")
	Fail(err)
}

// listen waits for the host's hello, and takes over its way of speaking.
func (c *containerSide) listen() {
	kind, err := unix.GetsockoptInt(containerEnd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil || kind != unix.SOCK_SEQPACKET {
		FailUsage("\"child\" is the container's side: run starts it, nobody types it")
	}
	unix.CloseOnExec(containerEnd)
	if !receive(containerEnd, &c.hello) {
		os.Exit(StatusFailed) // the host's side failed, and has said so
	}
	c.hello.Side = Container
	Speak(c.hello.Config)
}

// send writes one message. A peer that has died shows when the next one is received.
func send(fd int, message any) bool {
	packet, err := json.Marshal(message)
	if err == nil {
		_, err = unix.SendmsgN(fd, packet, nil, nil, unix.MSG_NOSIGNAL)
	}
	return err == nil
}

// receive reads one message, and reports false at the end of the conversation.
func receive(fd int, message any) bool {
	packet := make([]byte, 256<<10)
	for {
		n, err := unix.Read(fd, packet)
		if err == unix.EINTR {
			continue
		}
		return err == nil && n > 0 && json.Unmarshal(packet[:n], message) == nil
	}
}
