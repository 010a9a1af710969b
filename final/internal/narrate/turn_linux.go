package narrate

import (
	"fmt"
	"os"
	"strconv"
	"strings"

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
//
// A message is a packet of strings with a zero byte between them: no string
// here can hold one, and that is quickly done, twice at every start.
const containerEnd = 3

// turns is the host's end of the conversation.
var turns struct{ host, container int } // file descriptors

// hello is how the host's side says how to speak, and whether the container's
// side shall move to a process group of its own before it is ready.
func (c Config) hello(ownGroup bool) []string {
	return []string{c.Program, flagText(c.Quiet), flagText(c.Pause), flagText(c.JSON), flagText(c.Compact), flagText(ownGroup), c.AsRoot}
}

func parseHello(m []string) (c Config, ownGroup bool) {
	on := func(i int) bool { return m[i] == flagText(true) }
	c = Config{Program: m[0], Side: Container, Quiet: on(1), Pause: on(2), JSON: on(3), Compact: on(4), AsRoot: m[6]}
	return c, on(5)
}

func flagText(on bool) string { return strconv.FormatBool(on) }

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

// execve is the container's last call. With -json the host's side prints it,
// once it is known to have worked.
var execve *record

// Begin lets the container's side speak, and returns when it is about to
// become the command, or has failed. Then it draws the isolation board.
func Begin(pid int) {
	unix.Close(turns.container)
	send(turns.host, config.hello(terminal.foreground)...)
	var ours view
	silent := config.Quiet || config.JSON
	if !silent {
		ours = look("self")
	}
	ready, ok := receive(turns.host)
	if !ok {
		return // it failed and has said why: the wait will return at once
	}
	host.ready = true
	if config.JSON && len(ready) == 3 {
		r := newRecord(ready[0], ready[1])
		r.Side = Container
		r.PID, _ = strconv.Atoi(ready[2])
		execve = &r
	}
	lastSpeaker = Container
	if !silent {
		drawBoard(board(ours, look(strconv.Itoa(pid))))
	}
}

// Wait narrates the call that waits for the command to end. Between saying so
// and doing so, it lets the container's side become the command.
func Wait(why, call string, do func() error) {
	stopIfInterrupted()
	announce(why, call, false)
	pause()
	terminal.give(host.running())
	send(turns.host, "go")
	_, failed := receive(turns.host)
	host.began = host.ready && !failed
	if host.began && execve != nil {
		execve.print()
	}
	err := do()
	host.ended()
	terminal.restore()
	if err := answer(why, call, 0, err); err != nil {
		Fail(err)
	}
}

// Began reports, inside of Wait's do, whether the container's side has become the
// command. If not, it has failed, and has said why.
func Began() bool { return host.began }

// Become narrates the execve with which the container's side becomes the
// command. It returns only by ending the program: with exit status 127 when
// the command is not there, and 126 when it cannot be run.
func Become(why, call string, do func() error) {
	announce(why, call, false)
	if container.ownGroup {
		unix.Setpgid(0, 0)
	}
	sent := false
	if config.JSON {
		sent = send(containerEnd, why, call, strconv.Itoa(os.Getpid()))
	}
	if !sent { // or too large: an argument list may be larger than a packet
		send(containerEnd, "ready")
	}
	if _, ok := receive(containerEnd); !ok {
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
		FailUsage(fmt.Sprintf("%q is the container's side, and nobody types it", os.Args[1]))
	}
	unix.CloseOnExec(containerEnd)
	hello, ok := receive(containerEnd)
	if !ok {
		os.Exit(StatusFailed) // the host's side failed, and has said so
	}
	var heard Config
	heard, c.ownGroup = parseHello(hello)
	Speak(heard)
}

// send writes one message, and reports whether it went out. That the peer has
// died shows when the next one is received.
func send(fd int, message ...string) bool {
	_, err := unix.SendmsgN(fd, []byte(strings.Join(message, "\x00")), nil, nil, unix.MSG_NOSIGNAL)
	return err == nil
}

// receive reads one message, and reports false at the end of the conversation.
func receive(fd int) ([]string, bool) {
	packet := make([]byte, 256<<10)
	for {
		n, err := unix.Read(fd, packet)
		if err == unix.EINTR {
			continue
		}
		return strings.Split(string(packet[:max(n, 0)]), "\x00"), err == nil && n > 0
	}
}
