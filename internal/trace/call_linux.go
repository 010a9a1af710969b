package trace

import (
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// Call is a system call that a thread makes.
type Call struct {
	Number uint64
	Values [6]uint64 // the arguments as the kernel gets them
	Result int64     // once it is answered; -errno for an error

	// Arguments are the arguments as strace(1) prints them, with … for what is
	// left out. Read fills them, ReadAnswer what only the answer tells.
	Arguments []string

	// Path, Data and List are what some arguments point to, as Read found it: the
	// path or name that a call is about, the bytes that it writes, its vector of
	// arguments. Of two paths, Path is the new one: where a mount appears, the link
	// itself; Source is the other: what is mounted or moved, the link's text.
	Path   string
	Source string
	Data   []byte
	List   []string

	// Kind and Value are what else a call is about, where it has such:
	//
	//	mount          Kind: the type of file system, Value: the data
	//	fsopen         Kind: the type of file system
	//	fsconfig       Kind: the key, Value: the value
	//	bpf            Kind: which kind of program, or as what it hangs at Path
	//	ioctl          Kind: the request, Value: the interface
	//	prctl, keyctl  Value: the name of the thread, of the keyring
	Kind  string
	Value string

	Caps   *Capabilities // what a capset asks for
	Length int           // the instructions of the filter that a seccomp, prctl or bpf loads

	// Messages are the rtnetlink(7) messages that a call sends, or after its answer
	// those that it got; nil for another kind of socket.
	Messages []Message

	// Wait is what a waitid or wait4 was told, nil without an answer.
	Wait *Waited

	// Note is the user's own, for what it wants to remember until the answer.
	Note any

	thread   *Thread
	arch     uint32 // AUDIT_ARCH_…: which table the number belongs to
	pointer  uint64 // the instruction and stack pointers of who calls
	stack    uint64
	skip     skip
	clone    *cloneArguments // once they are read
	receives *socket         // of a call that receives
}

// cloneArguments are what a clone or clone3 was asked for.
type cloneArguments struct {
	flags  uint64
	signal syscall.Signal // for the parent at the new process's end; 0 for none

	unreadable bool
}

// Waited is what the kernel tells of a process that has ended: CLD_EXITED with
// the exit status, or CLD_KILLED or CLD_DUMPED with the signal.
type Waited struct {
	PID    int
	UID    int
	Code   int // CLD_…
	Status int
}

// Name is the call's name, "" for one that Read does not know. A 32-bit program's
// numbers mean other calls, which Read knows none of.
func (c *Call) Name() string {
	if c.arch != ourArch {
		return ""
	}
	return Name(c.Number)
}

// Foreign reports whether the call is made by another table of numbers than this
// program's own, as a 32-bit program does.
func (c *Call) Foreign() bool { return c.arch != ourArch || c.Number&x32Bit != 0 }

// Errno is the error that the call was answered with, 0 for none.
func (c *Call) Errno() syscall.Errno {
	if c.Result < 0 && c.Result > -4096 {
		return syscall.Errno(-c.Result)
	}
	return 0
}

// ErrnoName is an error's name as strace prints it: EOPNOTSUPP, which has two.
func ErrnoName(errno syscall.Errno) string {
	if errno == unix.EOPNOTSUPP {
		return "EOPNOTSUPP"
	}
	return unix.ErrnoName(errno)
}

// Return is the result as the C library has it: -1 for an error.
func (c *Call) Return() int64 {
	if c.Errno() != 0 {
		return -1
	}
	return c.Result
}

// Text is the call as strace prints it.
func (c *Call) Text() string {
	text := c.Name() + "("
	for i, argument := range c.Arguments {
		if i > 0 {
			text += ", "
		}
		text += argument
	}
	return text + ")"
}

// CloneFlags are the flags of a clone or clone3, without the signal that the new
// process sends at its end; 0 for another call.
func (c *Call) CloneFlags() uint64 { return c.cloned().flags }

// cloned reads what a clone was asked for, once: the memory of a clone3 can
// change.
func (c *Call) cloned() cloneArguments {
	if c.clone != nil {
		return *c.clone
	}
	c.clone = &cloneArguments{}
	const signal = 0xff // CSIGNAL
	switch c.Name() {
	case "clone": // the kernel takes the lower half
		c.clone.flags, c.clone.signal = c.Values[0]&^signal&0xffffffff, syscall.Signal(c.Values[0]&signal)
	case "clone3": // struct clone_args begins with the flags; exit_signal is its fifth word
		var err1, err2 error
		var signal uint64
		c.clone.flags, err1 = c.memory().Word(c.Values[0])
		signal, err2 = c.memory().Word(c.Values[0] + 32)
		c.clone.signal, c.clone.unreadable = syscall.Signal(signal), err1 != nil || err2 != nil
	}
	return *c.clone
}

func (c *Call) makesThread() bool { return c.CloneFlags()&unix.CLONE_THREAD != 0 }

// mayMake reports whether the call can make a thread or a process.
func (c *Call) mayMake() bool {
	switch c.Name() {
	case "clone", "clone3", "fork", "vfork":
		return true
	}
	return c.arch != ourArch || c.Number&x32Bit != 0
}

// memory is the memory of who makes the call.
func (c *Call) memory() Memory { return c.thread.Memory() }

// MakesProcess reports whether the call is one that makes a process, and not a
// thread.
func (c *Call) MakesProcess() bool {
	switch c.Name() {
	case "clone", "clone3":
		return !c.makesThread()
	case "fork", "vfork":
		return true
	}
	return false
}

// Values of the first argument of waitid(2).
const (
	pPID   = 1 // P_PID
	pPIDFD = 3 // P_PIDFD
)

// Waits reports whether the call waits for the end of a process.
func (c *Call) Waits() bool { return c.Name() == "waitid" || c.Name() == "wait4" }

// WaitsFor reports whether a call that waits may be answered with the end of the
// process pid.
func (c *Call) WaitsFor(pid int) bool {
	if c.Name() == "wait4" {
		id := int(int32(c.Values[0]))
		return id <= 0 || id == pid // a process group, or any child
	}
	switch c.Values[0] {
	case pPID:
		return int(int32(c.Values[1])) == pid
	case pPIDFD:
		file, ok := c.file(c.Values[1])
		return !ok || file == "pid:"+strconv.Itoa(pid)
	}
	return true
}

// NewCall is a call that nobody makes: for what asks only for its number and its
// values.
func NewCall(number uint64, values ...uint64) *Call {
	c := &Call{Number: number, arch: ourArch, thread: &Thread{ID: -1, Process: &Process{ID: -1}}}
	copy(c.Values[:], values)
	return c
}
