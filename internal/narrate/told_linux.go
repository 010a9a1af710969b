package narrate

import (
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"gonsrun/internal/proc"
	"gonsrun/internal/trace"
)

// tellable are the calls that a whole program is told from, each with the quick
// look that it takes, before anything is read; nil where any call may be told.
var tellable = sync.OnceValue(func() map[string]condition {
	return map[string]condition{
		"clone": (*trace.Call).MakesProcess, "clone3": (*trace.Call).MakesProcess, "fork": nil, "vfork": nil,
		"unshare": nil, "setns": nil, "sethostname": nil, "setdomainname": nil,
		"mount": nil, "umount2": nil, "open_tree": nil, "move_mount": nil, "fsopen": nil, "fsconfig": nil, "fsmount": nil, "fspick": nil,
		"mount_setattr": nil, "statmount": nil, "pivot_root": nil, "chroot": nil, "chdir": nil, "fchdir": nil,
		"mkdir": nil, "mkdirat": nil, "rmdir": nil, "unlinkat": hasBits(2, unix.AT_REMOVEDIR),
		"mknod": nil, "mknodat": nil, "symlink": nil, "symlinkat": nil,
		"write": nil, "pwrite64": nil, "sendto": nil, "sendmsg": nil,
		"prctl": sets, "capset": nil, "seccomp": filtersCalls, "keyctl": option(unix.KEYCTL_JOIN_SESSION_KEYRING),
		"bpf":    option(unix.BPF_PROG_LOAD, unix.BPF_PROG_ATTACH, unix.BPF_PROG_DETACH),
		"setuid": nil, "setgid": nil, "setreuid": nil, "setregid": nil, "setresuid": nil, "setresgid": nil, "setgroups": nil,
		"setfsuid": not(value(0, unchanged)), "setfsgid": not(value(0, unchanged)), // with -1 they only ask
		"setsid": nil, "ioctl": isTerminal, "close_range": nil,
		"execve": nil, "execveat": nil, "waitid": not(hasBits(3, unix.WNOHANG)), "wait4": not(hasBits(2, unix.WNOHANG)),
	}
})

// ofLessons are the calls that a lesson is told from.
var ofLessons = []string{
	"clone", "clone3", "fork", "vfork", "unshare", "setns", "sethostname", "setdomainname",
	"chroot", "chdir", "fchdir", "pivot_root", "mount", "umount2", "mkdir", "mkdirat", "rmdir", "unlinkat",
	"write", "prctl", "execve", "execveat", "waitid", "wait4",
}

// mayBeTold is a quick look at a call, before anything is read. A lesson is told
// from a smaller list than a whole program.
func mayBeTold(c *trace.Call, lesson bool) bool {
	name := c.Name()
	if lesson && (!slices.Contains(ofLessons, name) || name == "prctl" && c.Values[0] != unix.PR_SET_PDEATHSIG) {
		return false
	}
	quick, listed := tellable()[name]
	return listed && (quick == nil || quick(c))
}

// asksOnly are the options of prctl(2) that change nothing, those that only give
// something a name, and the one that the narrator itself has a program make.
var asksOnly = []uint64{
	unix.PR_GET_PDEATHSIG, unix.PR_GET_DUMPABLE, unix.PR_GET_UNALIGN, unix.PR_GET_KEEPCAPS, unix.PR_GET_FPEMU, unix.PR_GET_FPEXC,
	unix.PR_GET_TIMING, unix.PR_GET_NAME, unix.PR_GET_ENDIAN, unix.PR_GET_SECCOMP, unix.PR_CAPBSET_READ, unix.PR_GET_TSC,
	unix.PR_GET_SECUREBITS, unix.PR_GET_TIMERSLACK, unix.PR_MCE_KILL_GET, unix.PR_GET_CHILD_SUBREAPER, unix.PR_GET_NO_NEW_PRIVS,
	unix.PR_GET_TID_ADDRESS, unix.PR_GET_THP_DISABLE, unix.PR_GET_FP_MODE, unix.PR_SVE_GET_VL, unix.PR_GET_SPECULATION_CTRL,
	unix.PR_PAC_GET_ENABLED_KEYS, unix.PR_GET_TAGGED_ADDR_CTRL, unix.PR_GET_IO_FLUSHER, unix.PR_SME_GET_VL, unix.PR_GET_MDWE,
	unix.PR_GET_MEMORY_MERGE, unix.PR_GET_AUXV,
	unix.PR_SET_NAME, unix.PR_SET_VMA, unix.PR_SET_PTRACER,
}

// sets is true of a prctl that changes something.
func sets(c *trace.Call) bool {
	switch option := c.Values[0] & 0xffffffff; option {
	case unix.PR_CAP_AMBIENT:
		return c.Values[1] != unix.PR_CAP_AMBIENT_IS_SET
	case unix.PR_SET_SECCOMP:
		return c.Values[1] != unix.SECCOMP_MODE_FILTER || c.Values[2] != 0
	default:
		return !slices.Contains(asksOnly, option)
	}
}

// filtersCalls is true of a seccomp that changes something. Programs make others,
// without a filter, to find out what this kernel can do.
func filtersCalls(c *trace.Call) bool {
	switch c.Values[0] & 0xffffffff {
	case unix.SECCOMP_SET_MODE_STRICT:
		return c.Values[1] == 0
	case unix.SECCOMP_SET_MODE_FILTER:
		return c.Values[2] != 0
	}
	return false
}

// isTerminal is true of an ioctl about the controlling terminal.
func isTerminal(c *trace.Call) bool {
	request := c.Values[1] & 0xffffffff
	return request == unix.TIOCSCTTY || request == unix.TIOCNOTTY
}

// isTold reports whether a call, now that it is read, belongs to the story: of
// folders only cgroups do, of files those of cgroups and those in /proc that set
// something, of nodes and links those in /dev, and of messages those that change the
// network. The call gets the paths that the kernel knows.
func isTold(c *trace.Call, thread *trace.Thread, lesson bool) bool {
	switch c.Name() {
	case "write", "pwrite64":
		return isTelling(c, thread, lesson)
	case "sendto", "sendmsg":
		return changesNetwork(c)
	case "mkdir", "rmdir":
		return inCgroup(c, thread, "cwd")
	case "mkdirat", "unlinkat":
		return inCgroup(c, thread, beginning(c.Values[0]))
	case "mknod":
		return inDev(c, thread, "cwd") || isDevice(c) && c.Values[2] != 0
	case "mknodat":
		return inDev(c, thread, beginning(c.Values[0])) || isDevice(c) && c.Values[3] != 0 // 0:0 is how an overlay marks what is gone
	case "symlink":
		return inDev(c, thread, "cwd")
	case "symlinkat":
		return inDev(c, thread, beginning(c.Values[1]))
	case "bpf":
		return strings.HasSuffix(c.Kind, "CGROUP_DEVICE") // of a program, or where it is put
	}
	return true
}

// beginning is where the path of one of the …at calls begins, below /proc/PID.
func beginning(directory uint64) string {
	if fd := descriptor(directory); fd != strconv.Itoa(unix.AT_FDCWD) {
		return "fd/" + fd
	}
	return "cwd"
}

func descriptor(value uint64) string { return strconv.Itoa(int(int32(value))) }

// isTelling reports whether what is written goes to a file of a cgroup, to one in
// /proc that sets something, or changes the network.
func isTelling(c *trace.Call, thread *trace.Thread, lesson bool) bool {
	if changesNetwork(c) {
		return !lesson
	}
	if !proc.IsOurs() {
		_, ok := treeOf(c.Path)
		return ok || !lesson && strings.HasPrefix(c.Path, "/proc/") && isSetting(c)
	}
	var fs unix.Statfs_t
	if unix.Statfs("/proc/"+strconv.Itoa(thread.ID)+"/"+beginning(c.Values[0]), &fs) != nil {
		return false
	}
	switch {
	case isCgroup(&fs):
		return true
	case lesson || fs.Type != unix.PROC_SUPER_MAGIC:
		return false
	}
	// Mounted elsewhere, or nowhere: the catalogue knows it as /proc.
	known := c.Path
	if i := strings.LastIndex(known, "/proc/"); i >= 0 {
		c.Path = known[i:]
	} else {
		c.Path = "/proc" + known
	}
	return isSetting(c)
}

// isSetting is true of a file in /proc that runtimes write to.
func isSetting(c *trace.Call) bool {
	return sysctl(c) || below("/attr/")(c) || file("uid_map", "gid_map", "setgroups", "timens_offsets", "oom_score_adj", "oom_adj")(c)
}

// inCgroup reports whether what a call makes or removes is, or would be, a cgroup. from
// is where its path begins, below /proc/PID, if not at the root.
func inCgroup(c *trace.Call, thread *trace.Thread, from string) bool {
	folder, name := path.Split(strings.TrimRight(c.Path, "/")) // path.Dir would follow no symlink before ..
	known, fs, found := seen(thread, folder, from)
	if !found { // the folder above it is not there, or cannot be seen
		_, in := treeOf(c.Path)
		return in
	}
	if !isCgroup(&fs) {
		return false
	}
	c.Path = path.Join(known, name)
	return true
}

// inDev reports whether what a call makes lies in a folder dev.
func inDev(c *trace.Call, thread *trace.Thread, from string) bool {
	folder, name := path.Split(strings.TrimRight(c.Path, "/"))
	if known, _, found := seen(thread, folder, from); found {
		c.Path = path.Join(known, name)
	}
	return path.Base(path.Dir(c.Path)) == "dev"
}

// seen is what the kernel knows of a folder that a thread names.
func seen(thread *trace.Thread, folder, from string) (known string, fs unix.Statfs_t, found bool) {
	outside(thread, folder+".", from, func(dir string) {
		fd, err := unix.Open(dir, unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			return
		}
		defer unix.Close(fd)
		known, err = os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
		found = err == nil && unix.Fstatfs(fd, &fs) == nil
	})
	return known, fs, found
}

// isCgroup reports whether a file system is a cgroup tree, wherever that is mounted.
func isCgroup(fs *unix.Statfs_t) bool {
	return fs.Type == unix.CGROUP_SUPER_MAGIC || fs.Type == unix.CGROUP2_SUPER_MAGIC
}
