package doctor

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// trialName is what this program is started as, in namespaces of its own, to
// try what a container is made of.
const trialName = "gonsrun-doctor-trial"

// trialPatience is how long that may take.
const trialPatience = 10 * time.Second

// A trial is one of the things that are tried. They build on one another: the
// first that fails takes those after it with it, unless it is optional: final
// has another way without it.
type trial struct {
	name     string
	optional bool
	do       func(scratch, lower string) error
}

// Made in a mount namespace where nothing is shared with the host, and in a
// network namespace, scratch being any folder: a tmpfs covers it.
var trials = []trial{
	{"private", false, func(_, _ string) error { return unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, "") }},
	{"tmpfs", false, func(scratch, _ string) error {
		return unix.Mount("tmpfs", scratch, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "")
	}},
	{"proc", false, func(scratch, _ string) error { return mountNew("proc", scratch+"/proc", "") }},
	{"sysfs", false, func(scratch, _ string) error { return mountNew("sysfs", scratch+"/sys", "") }},
	{"devpts", false, func(scratch, _ string) error { return mountNew("devpts", scratch+"/pts", "newinstance,ptmxmode=0666") }},
	{"mqueue", true, func(scratch, _ string) error { return mountNew("mqueue", scratch+"/mqueue", "") }},
	{"bridge", true, func(_, _ string) error { return newLink("bridge") }},
	{"veth", true, func(_, _ string) error { return newLink("veth") }},
	{"overlay", true, overlay},
	{"pivot_root", false, func(scratch, _ string) error {
		if err := unix.Chdir(scratch); err != nil {
			return err
		}
		return unix.PivotRoot(".", ".")
	}},
}

func mountNew(kind, target, data string) error {
	if err := unix.Mkdir(target, 0o755); err != nil {
		return err
	}
	return unix.Mount(kind, target, kind, unix.MS_NOSUID|unix.MS_NOEXEC, data)
}

// overlay mounts one whose upper layer is in the tmpfs, as final does, and
// writes to it: on some file systems only that fails.
func overlay(scratch, lower string) error {
	for _, name := range []string{"/upper", "/work", "/merged"} {
		if err := unix.Mkdir(scratch+name, 0o755); err != nil {
			return err
		}
	}
	data := fmt.Sprintf("lowerdir=%s,upperdir=%s/upper,workdir=%s/work", lower, scratch, scratch)
	if err := unix.Mount("overlay", scratch+"/merged", "overlay", unix.MS_NODEV, data); err != nil {
		return err
	}
	return os.WriteFile(scratch+"/merged/.gonsrun-doctor", []byte("x"), 0o600)
}

// newLink makes a network interface with rtnetlink(7): an RTM_NEWLINK message
// that holds nothing but the kind. In a network namespace it ends with us.
func newLink(kind string) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	kindAttr := attribute(unix.IFLA_INFO_KIND, []byte(kind))
	body := append(make([]byte, unix.SizeofIfInfomsg), attribute(unix.IFLA_LINKINFO, kindAttr)...)
	message := make([]byte, unix.SizeofNlMsghdr, unix.SizeofNlMsghdr+len(body))
	binary.NativeEndian.PutUint32(message[0:], uint32(cap(message)))
	binary.NativeEndian.PutUint16(message[4:], unix.RTM_NEWLINK)
	binary.NativeEndian.PutUint16(message[6:], unix.NLM_F_REQUEST|unix.NLM_F_ACK|unix.NLM_F_CREATE|unix.NLM_F_EXCL)
	if err := unix.Sendto(fd, append(message, body...), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	answer := make([]byte, 4096)
	n, _, err := unix.Recvfrom(fd, answer, 0)
	if err != nil {
		return err
	}
	if n < unix.SizeofNlMsghdr+4 {
		return unix.EBADMSG
	}
	if errno := -int32(binary.NativeEndian.Uint32(answer[unix.SizeofNlMsghdr:])); errno != 0 {
		return syscall.Errno(errno)
	}
	return nil
}

// attribute writes one attribute of netlink(7), padded to four bytes.
func attribute(kind uint16, value []byte) []byte {
	length := unix.SizeofRtAttr + len(value)
	b := make([]byte, (length+3)&^3)
	binary.NativeEndian.PutUint16(b[0:], uint16(length))
	binary.NativeEndian.PutUint16(b[2:], kind)
	copy(b[unix.SizeofRtAttr:], value)
	return b
}

// init makes this program the child of try, in every program that has this
// package in it: main has to know nothing of it.
func init() {
	if len(os.Args) == 3 && os.Args[0] == trialName {
		for _, t := range trials {
			err := t.do(os.Args[1], os.Args[2])
			fmt.Printf("%s %d\n", t.name, errnoOf(err))
			if err != nil && !t.optional {
				break
			}
		}
		os.Exit(0)
	}
}

// errnoOf returns the errno in err, 0 when err is nil.
func errnoOf(err error) syscall.Errno {
	var errno syscall.Errno
	if err != nil && !errors.As(err, &errno) {
		return unix.EIO
	}
	return errno
}

// trialReport is how the trials came out. What was not reached is not in it.
type trialReport struct {
	start error // the child could not be started, or did not end
	errno map[string]syscall.Errno
}

// broken returns the trial that ended the row, nil when all went well.
func (r trialReport) broken() *trial {
	for i := range trials {
		if errno, reached := r.errno[trials[i].name]; !reached || errno != 0 && !trials[i].optional {
			return &trials[i]
		}
	}
	return nil
}

// describe says what went wrong with a trial.
func (r trialReport) describe(t *trial) string {
	if r.start != nil {
		return "nothing could be tried: " + describe(r.start)
	}
	if errno, reached := r.errno[t.name]; reached {
		return t.name + ": " + describe(errno)
	}
	return t.name + ": not reached"
}

// rowsOfTheirOwn are trials that the table's line "mounts" does not name.
var rowsOfTheirOwn = []string{"private", "bridge", "veth", "overlay"}

// works lists the trials that went well, for the table.
func (r trialReport) works() (names []string) {
	for _, t := range trials {
		if errno, reached := r.errno[t.name]; reached && errno == 0 && !slices.Contains(rowsOfTheirOwn, t.name) {
			names = append(names, t.name)
		}
	}
	return names
}

// runTrial starts this program again in new namespaces, where it makes all the
// trials. lower is the folder that the overlay is made over.
func runTrial(user bool, lower string) trialReport {
	ctx, cancel := context.WithTimeout(context.Background(), trialPatience)
	defer cancel()
	child := exec.CommandContext(ctx, "/proc/self/exe")
	child.Args = []string{trialName, scratchFolder(lower), lower}
	child.SysProcAttr = inNamespaces(unix.CLONE_NEWNS|unix.CLONE_NEWPID|unix.CLONE_NEWIPC|unix.CLONE_NEWNET, user)
	output, err := child.Output()
	report := trialReport{start: err, errno: map[string]syscall.Errno{}}
	for line := range strings.Lines(string(output)) {
		var name string
		var errno int
		if n, _ := fmt.Sscanf(line, "%s %d", &name, &errno); n == 2 {
			report.errno[name] = syscall.Errno(errno)
		}
	}
	return report
}

// scratchFolder is any folder that is surely there: it is covered, with what is
// below it, and not changed. The folder lower must stay in sight.
func scratchFolder(lower string) string {
	for _, dir := range []string{os.TempDir(), "/tmp", "/var", "/mnt"} {
		if info, err := os.Stat(dir); err == nil && info.IsDir() && !strings.HasPrefix(lower+"/", dir+"/") {
			return dir
		}
	}
	return "/dev"
}

// lowerFolder is on the file system that the root file system is on: the folder
// gonsrun in the user's cache, or what there is of the path to it.
//
// Three kinds of folders would not do: one that has a mount below it, which in a
// user namespace cannot be taken without that; one that we may not read; and one
// with a character in its name that overlay gives a meaning.
func lowerFolder(mounted []string) string {
	const elsewhere = "/usr"
	cache, err := os.UserCacheDir()
	if err != nil || strings.ContainsAny(cache, `:,\`) {
		return elsewhere
	}
	dir := filepath.Join(cache, "gonsrun")
	for unix.Access(dir, unix.R_OK|unix.X_OK) != nil {
		if dir = filepath.Dir(dir); dir == "/" || dir == "." || dir == "/home" {
			return elsewhere
		}
	}
	below := func(point string) bool { return strings.HasPrefix(point, dir+"/") }
	if slices.ContainsFunc(mounted, below) {
		return elsewhere
	}
	return dir
}
