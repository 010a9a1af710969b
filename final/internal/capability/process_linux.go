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
// from /proc/PID/status, proc_pid_status(5).
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

// DropBounding shrinks the calling thread's bounding set to keep, by one call for
// each capability of bounding (what [Read] says is there) that is not in keep. It
// needs CAP_SETPCAP. Nothing can undo it. See PR_CAPBSET_DROP(2const).
func DropBounding(bounding, keep Set) error {
	for _, number := range (bounding &^ keep).numbers() {
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(number), 0, 0, 0); err != nil {
			return os.NewSyscallError("prctl PR_CAPBSET_DROP "+nameOf(number), err)
		}
	}
	return nil
}

// Limit makes keep the calling thread's permitted and effective sets and empties
// the inheritable one. keep must be within the permitted set, else the errno is
// EPERM. The ambient set needs no call of its own: the kernel keeps it within
// permitted and inheritable, so an empty inheritable set empties it. See capset(2).
func Limit(keep Set) error {
	// The kernel wants each set in two halves of 32 bits.
	low, high := uint32(keep), uint32(keep>>32)
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	halves := [2]unix.CapUserData{
		{Effective: low, Permitted: low},
		{Effective: high, Permitted: high},
	}
	return os.NewSyscallError("capset "+keep.String(), unix.Capset(&header, &halves[0]))
}
