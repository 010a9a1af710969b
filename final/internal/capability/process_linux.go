package capability

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Sets are the five sets of a thread, see capabilities(7).
type Sets struct {
	Inheritable, Permitted, Effective, Bounding, Ambient Set
}

// Available returns what the thread can keep or hand to a child: what it has
// now and its bounding set lets through. Machines differ: in a container or a
// virtual machine some may be missing even for root.
func (s Sets) Available() Set {
	return s.Permitted & s.Bounding
}

// Read reads the sets of process pid, or of the calling thread when pid is 0,
// from /proc/PID/status (proc_pid_status(5)). It makes no call that narration
// would have to mention, as prctl(PR_CAPBSET_READ) would be.
func Read(pid int) (Sets, error) {
	file := "/proc/thread-self/status"
	if pid != 0 {
		file = fmt.Sprintf("/proc/%d/status", pid)
	}
	status, err := os.ReadFile(file)
	if err != nil {
		return Sets{}, fmt.Errorf("read capabilities: %w", err)
	}
	return parseStatus(string(status), file)
}

func parseStatus(status, file string) (s Sets, err error) {
	for _, field := range []struct {
		name string
		set  *Set
	}{
		{"CapInh", &s.Inheritable},
		{"CapPrm", &s.Permitted},
		{"CapEff", &s.Effective},
		{"CapBnd", &s.Bounding},
		{"CapAmb", &s.Ambient},
	} {
		_, rest, _ := strings.Cut(status, "\n"+field.name+":\t")
		hex, _, _ := strings.Cut(rest, "\n")
		bits, err := strconv.ParseUint(hex, 16, 64)
		if err != nil {
			return Sets{}, fmt.Errorf("read capabilities: %s of %s is %q, not a hexadecimal number", field.name, file, hex)
		}
		*field.set = Set(bits)
	}
	return s, nil
}

// Step is one system call: why it is made, how strace(1) prints it (… stands
// for what was left out), and the call itself. Do returns the bare errno, since
// who narrates Call names the call in the error.
type Step struct {
	Why, Call string
	Do        func() error
}

// DropBounding returns the steps that shrink the calling thread's bounding set
// to keep, one for each capability of bounding (what [Read] says is there) that
// is not in keep. They need CAP_SETPCAP. Nothing can undo them. See
// PR_CAPBSET_DROP(2const).
func DropBounding(bounding, keep Set) []Step {
	var steps []Step
	for _, number := range (bounding &^ keep).numbers() {
		steps = append(steps, Step{
			Why:  allows(number),
			Call: fmt.Sprintf("prctl(PR_CAPBSET_DROP, %s)", straceName(number)),
			Do:   func() error { return unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(number), 0, 0, 0) },
		})
	}
	return steps
}

// Limit returns the step that makes keep the calling thread's permitted and
// effective sets and empties the inheritable one. keep must be within the
// permitted set, else the call fails with EPERM. The ambient set needs no call
// of its own: the kernel keeps it within permitted and inheritable, so an empty
// inheritable set empties it. See capset(2).
func Limit(keep Set) Step {
	return Step{
		Why: fmt.Sprintf("of root's capabilities the command keeps: %s", keep),
		Call: fmt.Sprintf("capset({version=_LINUX_CAPABILITY_VERSION_3, pid=0}, {effective=%s, permitted=%s, inheritable=0})",
			straceSet(keep), straceSet(keep)),
		Do: func() error { return capset(keep) },
	}
}

// capset hands the kernel each set in two halves of 32 bits.
func capset(keep Set) error {
	low, high := uint32(keep), uint32(keep>>32)
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	halves := [2]unix.CapUserData{
		{Effective: low, Permitted: low},
		{Effective: high, Permitted: high},
	}
	return unix.Capset(&header, &halves[0])
}

func allows(number int) string {
	if number < len(known) {
		return "nothing in the container can ever " + known[number].allows
	}
	return "a capability newer than this program: the container does without"
}

// straceName is how strace prints a capability's number.
func straceName(number int) string {
	if number < len(known) {
		return known[number].name
	}
	return fmt.Sprintf("%#x /* CAP_??? */", number)
}

// straceSet is how strace prints a set, with … for all but the first
// capability: the whole list would fill ten lines of the narration.
func straceSet(s Set) string {
	numbers := s.numbers()
	switch len(numbers) {
	case 0:
		return "0"
	case 1:
		return "1<<" + straceName(numbers[0])
	default:
		return "1<<" + straceName(numbers[0]) + "|…"
	}
}
