package trace

import (
	"encoding/binary"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"gonsrun/internal/proc"
)

// left stands for an argument that is left out: an address, or what only
// distracts.
const left = "…"

// Read reads the arguments of a call at whose entry its thread is stopped: later
// the memory may hold something else.
func (c *Call) Read() {
	v := c.Values
	switch c.Name() {
	case "clone", "clone3":
		c.readClone()
	case "fork", "vfork":
		c.Arguments = []string{}
	case "unshare":
		c.Arguments = []string{flags(v[0], unshareFlags)}
	case "setns":
		c.Arguments = []string{c.descriptor(v[0]), flags(half(v[1]), namespaceFlags)}
	case "sethostname", "setdomainname":
		c.Arguments = []string{c.bytes(v[0], half(v[1])), strconv.FormatUint(half(v[1]), 10)}
	case "chroot", "chdir", "rmdir":
		c.Arguments = []string{c.path(v[0])}
	case "fchdir":
		c.Arguments = []string{c.descriptor(v[0])}
	case "pivot_root":
		c.Arguments = []string{c.string(v[0]), c.string(v[1])}
	case "mount":
		c.readMount()
	case "umount2":
		c.Arguments = []string{c.path(v[0]), flags(half(v[1]), umountFlags)}
	case "mkdir":
		c.Arguments = []string{c.path(v[0]), mode(v[1])}
	case "mkdirat":
		c.Arguments = []string{c.directory(v[0]), c.path(v[1]), mode(v[2])}
	case "unlinkat":
		c.Arguments = []string{c.directory(v[0]), c.path(v[1]), flags(half(v[2]), atFlags)}
	case "write":
		c.Path, _ = c.file(v[0])
		c.Arguments = []string{c.descriptor(v[0]), c.bytes(v[1], v[2]), strconv.FormatUint(v[2], 10)}
	case "prctl":
		c.readPrctl()
	case "execve":
		c.Arguments = []string{c.path(v[0]), c.vector(v[1]), nullOr(v[2], left)}
	case "execveat":
		c.Arguments = []string{c.directory(v[0]), c.path(v[1]), c.vector(v[2]), nullOr(v[3], left), flags(half(v[4]), atFlags)}
	case "waitid":
		c.Arguments = []string{choice(half(v[0]), waitKinds), c.waitedFor(), nullOr(v[2], left), flags(half(v[3]), waitFlags), nullOr(v[4], left)}
	case "wait4":
		c.Arguments = []string{strconv.Itoa(int(int32(v[0]))), nullOr(v[1], left), flags(half(v[2]), waitFlags), nullOr(v[3], left)}
	}
}

// ReadAnswer reads what a call has written for its caller, when its thread is
// stopped at the exit.
func (c *Call) ReadAnswer() {
	switch {
	case c.Errno() != 0:
	case c.Name() == "waitid" && c.Values[2] != 0:
		c.readSiginfo()
	case c.Name() == "wait4" && c.Values[1] != 0 && c.Result > 0:
		c.readStatus()
	}
}

// readClone prints the flags in the order of their values, and the signal last.
func (c *Call) readClone() {
	asked := c.cloned()
	text := flags(asked.flags, cloneFlags)
	if c.Name() == "clone3" {
		text = fmt.Sprintf("{flags=%s, exit_signal=%s, …}", text, signalName(asked.signal))
		if asked.unreadable {
			text = nullOr(c.Values[0], left)
		}
		c.Arguments = []string{text, strconv.FormatUint(c.Values[1], 10)}
		return
	}
	if asked.signal != 0 {
		text = strings.TrimPrefix(text+"|", "0|") + signalName(asked.signal)
	}
	c.Arguments = []string{"child_stack=" + nullOr(c.Values[1], left), "flags=" + text}
	if asked.flags&(unix.CLONE_PIDFD|unix.CLONE_PARENT_SETTID) != 0 {
		c.Arguments = append(c.Arguments, "parent_tid="+left)
	}
}

// readMount prints the type and the data only where the kernel looks at them.
func (c *Call) readMount() {
	v := c.Values
	source, target := c.string(v[0]), c.path(v[1])
	kind, data := nullOr(v[2], left), nullOr(v[4], left)
	const (
		ignoresData = unix.MS_BIND | unix.MS_MOVE | unix.MS_SHARED | unix.MS_PRIVATE | unix.MS_SLAVE | unix.MS_UNBINDABLE
		ignoresKind = unix.MS_REMOUNT | ignoresData
	)
	if c.MountFlags()&ignoresKind == 0 {
		kind = c.string(v[2])
	}
	if c.MountFlags()&unix.MS_REMOUNT != 0 || c.MountFlags()&ignoresData == 0 {
		data = c.string(v[4])
	}
	c.Arguments = []string{source, target, kind, mountText(v[3]), data}
}

// mountMagic in the upper half of mount's flags means nothing: programs of before
// 2001 set it. See mount(2), MS_MGC_VAL.
const mountMagic = 0xc0ed0000

func hasMagic(value uint64) bool { return value&0xffff0000 == mountMagic }

// MountFlags are the flags of a mount, as the kernel takes them.
func (c *Call) MountFlags() uint64 {
	if hasMagic(c.Values[3]) {
		return c.Values[3] &^ 0xffff0000
	}
	return c.Values[3]
}

// mountText prints the flags of mount(2).
func mountText(value uint64) string {
	if !hasMagic(value) {
		return flags(value, mountFlags)
	}
	return strings.TrimSuffix("MS_MGC_VAL|"+flags(value&^mountMagic, mountFlags), "|0")
}

func (c *Call) readPrctl() {
	option := choice(half(c.Values[0]), prctlOptions)
	switch half(c.Values[0]) {
	case unix.PR_SET_PDEATHSIG:
		c.Arguments = []string{option, signalName(syscall.Signal(c.Values[1]))}
	default:
		c.Arguments = []string{option, left}
	}
}

// readSiginfo reads the siginfo_t of waitid: si_signo, si_errno, si_code, then at
// 16 si_pid, si_uid, si_status. See sigaction(2).
func (c *Call) readSiginfo() {
	info, err := c.memory().Bytes(c.Values[2], 128)
	if err != nil {
		return
	}
	field := func(at int) int { return int(int32(binary.LittleEndian.Uint32(info[at:]))) }
	if field(0) == 0 {
		c.Arguments[2] = "{}"
		return // WNOHANG, and nobody has ended
	}
	w := &Waited{Code: field(8), PID: field(16), UID: field(20), Status: field(24)}
	c.Arguments[2] = fmt.Sprintf("{si_signo=SIGCHLD, si_code=%s, si_pid=%d, si_uid=%d, si_status=%s, …}",
		w.CodeName(), w.PID, w.UID, w.StatusText())
	if w.Code <= cldDumped { // others are stopped, or go on
		c.Wait = w
	}
}

// readStatus reads the status word of wait4, see wait(2).
func (c *Call) readStatus() {
	word, err := c.memory().Bytes(c.Values[1], 4)
	if err != nil {
		return
	}
	status := syscall.WaitStatus(binary.LittleEndian.Uint32(word))
	c.Wait = &Waited{PID: int(c.Result)}
	switch {
	case status.Exited():
		c.Wait.Code, c.Wait.Status = cldExited, status.ExitStatus()
		c.Arguments[1] = fmt.Sprintf("[{WIFEXITED(s) && WEXITSTATUS(s) == %d}]", status.ExitStatus())
	case status.Signaled():
		c.Wait.Code, c.Wait.Status = cldKilled, int(status.Signal())
		core := ""
		if status.CoreDump() {
			c.Wait.Code, core = cldDumped, " && WCOREDUMP(s)"
		}
		c.Arguments[1] = fmt.Sprintf("[{WIFSIGNALED(s) && WTERMSIG(s) == %s%s}]", signalName(status.Signal()), core)
	case status.Stopped():
		c.Wait = nil
		c.Arguments[1] = fmt.Sprintf("[{WIFSTOPPED(s) && WSTOPSIG(s) == %s}]", signalName(status.StopSignal()))
	case status.Continued():
		c.Wait = nil
		c.Arguments[1] = "[{WIFCONTINUED(s)}]"
	default:
		c.Wait = nil
	}
}

// Values of si_code for SIGCHLD, see sigaction(2).
const (
	cldExited = 1
	cldKilled = 2
	cldDumped = 3
)

var childCodes = map[uint64]string{cldExited: "CLD_EXITED", cldKilled: "CLD_KILLED", cldDumped: "CLD_DUMPED",
	4: "CLD_TRAPPED", 5: "CLD_STOPPED", 6: "CLD_CONTINUED"}

// Exited reports whether the process ended itself, and was not killed.
func (w *Waited) Exited() bool { return w.Code == cldExited }

// CodeName is the name of the code.
func (w *Waited) CodeName() string {
	return choice(uint64(w.Code), childCodes)
}

// StatusText is the exit status, or the name of the signal.
func (w *Waited) StatusText() string {
	if w.Exited() {
		return strconv.Itoa(w.Status)
	}
	return signalName(syscall.Signal(w.Status))
}

// waitedFor is the id that a waitid waits for.
func (c *Call) waitedFor() string {
	if c.Values[0] == pPIDFD {
		return c.descriptor(c.Values[1])
	}
	return strconv.Itoa(int(int32(c.Values[1])))
}

// half is an argument that the kernel takes 32 bits of. What stands in the rest of
// the register does not count.
func half(value uint64) uint64 { return uint64(uint32(value)) }

// string reads a string argument and quotes it. What is longer than the kernel
// takes is followed by ….
func (c *Call) string(address uint64) string {
	text, _ := c.readString(address)
	return text
}

// path is string for the path that the call is about.
func (c *Call) path(address uint64) (text string) {
	text, c.Path = c.readString(address)
	return text
}

// readString returns a string argument as it is printed, and as it is: "" for one
// that the kernel will not take.
func (c *Call) readString(address uint64) (text, content string) {
	if address == 0 {
		return "NULL", ""
	}
	content, err := c.memory().String(address)
	switch err {
	case nil:
		return Quote(content), content
	case ErrTooLong:
		return Quote(content) + left, ""
	}
	return left, ""
}

// bytes reads what a call hands over, as Data, and quotes the first 4 KiB.
func (c *Call) bytes(address, length uint64) string {
	const most = 4096
	data, err := c.memory().Bytes(address, min(length, most))
	switch {
	case address == 0:
		return "NULL"
	case err != nil:
		return left
	}
	c.Data = data
	if length > most {
		return Quote(string(data)) + left
	}
	return Quote(string(data))
}

// vector reads a vector of strings, as List. A string that cannot be read is … and
// the last one printed: then there is no List.
func (c *Call) vector(address uint64) string {
	if address == 0 {
		return "NULL"
	}
	list, err := c.memory().Strings(address)
	switch {
	case err == nil:
		c.List = list
		return Strings(list)
	case len(list) == 0:
		return left
	}
	return strings.TrimSuffix(Strings(list), "]") + ", " + left + "]"
}

// directory prints the first argument of the …at calls.
func (c *Call) directory(value uint64) string {
	const here = 1<<32 + unix.AT_FDCWD // as an unsigned int
	if value == here || int64(value) == unix.AT_FDCWD {
		return "AT_FDCWD"
	}
	return c.descriptor(value)
}

// descriptor prints a file descriptor with what it is open on, as strace -yy does.
func (c *Call) descriptor(value uint64) string {
	fd := strconv.Itoa(int(int32(value)))
	if file, ok := c.file(value); ok {
		quoted := strings.NewReplacer("<", `\74`, ">", `\76`).Replace(Quote(file))
		return fd + "<" + quoted[1:len(quoted)-1] + ">"
	}
	return fd
}

// file is what a file descriptor is open on.
func (c *Call) file(value uint64) (string, bool) {
	if !proc.IsOurs() {
		return c.copied(value)
	}
	dir, fd := "/proc/"+strconv.Itoa(c.thread.ID), strconv.Itoa(int(int32(value)))
	file, err := os.Readlink(dir + "/fd/" + fd)
	if err != nil {
		return "", false
	}
	if isPidfd(file) {
		return "pid:" + proc.Field(proc.Read(dir+"/fdinfo/"+fd), "Pid"), true
	}
	return file, true
}

func isPidfd(file string) bool {
	return file == "anon_inode:[pidfd]" || strings.HasPrefix(file, "pidfd:")
}

// copied is file where /proc has the numbers of another PID namespace: /proc/self is
// ours there, too, so we look at a copy of the descriptor. It needs Linux 5.6. Of a
// process it would say a stranger's number.
func (c *Call) copied(value uint64) (string, bool) {
	process, err := unix.PidfdOpen(c.thread.Process.ID, 0)
	if err != nil {
		return "", false
	}
	defer unix.Close(process)
	fd, err := unix.PidfdGetfd(process, int(int32(value)), 0)
	if err != nil {
		return "", false
	}
	defer unix.Close(fd)
	file, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
	if err != nil || isPidfd(file) {
		return "", false
	}
	return file, true
}

// mode prints permissions, of which the kernel takes 16 bits.
func mode(value uint64) string { return fmt.Sprintf("%#03o", value&0xffff) }

func nullOr(value uint64, text string) string {
	if value == 0 {
		return "NULL"
	}
	return text
}

func signalName(sig syscall.Signal) string {
	const firstRealTime, last = 32, 64
	switch name := unix.SignalName(sig); {
	case name != "":
		return name
	case sig == firstRealTime:
		return "SIGRTMIN"
	case sig > firstRealTime && sig <= last:
		return fmt.Sprintf("SIGRT_%d", sig-firstRealTime)
	}
	return strconv.Itoa(int(sig))
}
