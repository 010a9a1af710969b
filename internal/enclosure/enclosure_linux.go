package enclosure

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"gonsrun/internal/rootfs"
)

// Plan says what an enclosure shows, and what is allowed in it.
type Plan struct {
	Outside  string   // the starter's mount namespace
	Scratch  string   // a folder for whoever is in there, a tmpfs inside
	Group    string   // the name of the cgroups
	Strict   bool     // no rights but those that a lesson can need
	Beside   bool     // the first process is in no cgroup that is seen: no limit that is set there holds for it
	Keep     []string // what stays to be seen where a tmpfs covers it
	Writable []string // files and folders that can be written to, nevertheless
}

// dangerousRights are those that no lesson needs, and that reach beyond all
// namespaces.
var dangerousRights = []uintptr{
	unix.CAP_SYS_MODULE, unix.CAP_SYS_RAWIO, unix.CAP_SYS_BOOT, unix.CAP_SYS_TIME,
	unix.CAP_WAKE_ALARM, unix.CAP_MAC_ADMIN, unix.CAP_MAC_OVERRIDE, unix.CAP_SYSLOG, unix.CAP_AUDIT_CONTROL,
}

// New plans an enclosure with the scratch folder dir. In there the caller's working
// directory (with all of the Go module that it is in), its executable and the folders in PATH are seen as they are outside.
func New(dir string, strict bool) (p Plan, err error) {
	p = Plan{Scratch: dir, Group: groupName(strconv.Itoa(os.Getpid()), dir), Strict: strict}
	if p.Outside, err = os.Readlink("/proc/self/ns/mnt"); err != nil {
		return p, err
	}
	p.Keep = []string{module(absolute("."))}
	if self, err := os.Executable(); err == nil {
		p.Keep = append(p.Keep, self)
	}
	p.Keep = append(p.Keep, filepath.SplitList(os.Getenv("PATH"))...)
	// A tmpfs can only be mounted on a folder that is there.
	if cache, err := rootfs.Folder(); err == nil {
		os.MkdirAll(cache, 0o755)
	}
	return p, nil
}

// module is the folder with the go.mod of the module that dir is in, dir itself when
// it is in none.
func module(dir string) string {
	for above := dir; above != "/"; above = filepath.Dir(above) {
		if _, err := os.Stat(filepath.Join(above, "go.mod")); err == nil {
			return above
		}
	}
	return dir
}

func absolute(path string) string {
	if path, err := filepath.Abs(path); err == nil {
		return path
	}
	return path
}

// enter makes of the new namespaces, in which this process is number 1, what
// description says. Then it starts this program again, in the same process: of
// cgroup namespaces and of rights each thread has its own until then. The caller
// has locked its thread. enter returns only an error.
func enter(description string) error {
	var p Plan
	if err := json.Unmarshal([]byte(description), &p); err != nil {
		return err
	}
	if here, err := os.Readlink("/proc/thread-self/ns/mnt"); err != nil || here == p.Outside || os.Getpid() != 1 {
		return fmt.Errorf("this is no new namespace, but pid %d in %s (%w)", os.Getpid(), here, err)
	}
	home, err := os.Getwd()
	if err != nil {
		return err
	}
	// First of all: nothing that is mounted here from now on reaches the host.
	if err := mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	trees, err := p.joinGroups()
	if err != nil {
		return err
	}
	for _, step := range []func() error{
		p.mountFiles,
		mountDevices,
		p.mountProc,
		func() error { return mountGroups(trees) },
		// As systemd has them on most systems: a program that forgets to make its
		// mounts private is seen here as it is there.
		func() error { return mount("none", "/", "", unix.MS_REC|unix.MS_SHARED, "") },
		func() error { return os.Chdir(home) },
		p.dropRights,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	os.Unsetenv(variable)
	err = unix.Exec("/proc/self/exe", os.Args, os.Environ())
	return fmt.Errorf("execve /proc/self/exe: %w", err)
}

// mount is mount(2), with an error that says what was asked.
func mount(source, target, kind string, flags uintptr, data string) error {
	if err := unix.Mount(source, target, kind, flags, data); err != nil {
		return fmt.Errorf("mount(%q, %q, %q, %#x, %q): %w", source, target, kind, flags, data, err)
	}
	return nil
}

// mountFiles makes all that is mounted read-only, and puts a tmpfs where programs
// write.
func (p Plan) mountFiles() error {
	kept := map[string]int{} // path → a descriptor of what was there
	keep := func(path string) {
		if fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0); err == nil {
			kept[path] = fd
		}
	}
	covers := p.covers()
	for _, path := range p.Keep {
		resolved, _ := filepath.EvalSymlinks(path)
		for _, path := range []string{path, resolved} {
			if slices.ContainsFunc(covers, func(c cover) bool { return below(path, c.path) }) {
				keep(path)
			}
		}
	}
	for _, path := range p.Writable {
		keep(path)
	}
	if err := readOnly(); err != nil {
		return err
	}
	for _, c := range covers {
		if err := mount("tmpfs", c.path, "tmpfs", unix.MS_NOSUID, "mode="+c.mode); err != nil {
			return err
		}
	}
	for _, dir := range []string{os.TempDir(), p.Scratch} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	bound := ""
	for _, path := range slices.Sorted(maps.Keys(kept)) { // a folder comes before what is in it
		if bound != "" && below(path, bound) || slices.Contains(p.Writable, path) {
			continue
		}
		if err := bind(kept[path], path); err != nil {
			return err
		}
		bound = path
	}
	for _, path := range p.Writable {
		fd, ok := kept[path]
		if !ok {
			continue
		}
		if err := bind(fd, path); err != nil {
			return err
		}
		if err := mount("", path, "", unix.MS_REMOUNT|unix.MS_BIND, ""); err != nil {
			return err
		}
	}
	return nil
}

// A cover is a folder that gets a tmpfs, with its mode.
type cover struct{ path, mode string }

// covers lists the folders that programs write to. None is below another.
func (p Plan) covers() (covers []cover) {
	all := []cover{{"/tmp", "1777"}, {"/var/tmp", "1777"}, {"/run", "755"}, {os.TempDir(), "1777"}}
	if cache, err := rootfs.Folder(); err == nil {
		all = append(all, cover{cache, "755"})
	}
	for i := range all {
		if path, err := filepath.EvalSymlinks(absolute(all[i].path)); err == nil {
			all[i].path = path
		}
	}
	slices.SortFunc(all, func(a, b cover) int { return strings.Compare(a.path, b.path) })
	for _, c := range all {
		within := func(other cover) bool { return c.path == other.path || below(c.path, other.path) }
		if info, err := os.Stat(c.path); err == nil && info.IsDir() && !slices.ContainsFunc(covers, within) {
			covers = append(covers, c)
		}
	}
	return covers
}

// below reports whether path is in the folder dir.
func below(path, dir string) bool { return strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/") }

// bind mounts what the descriptor is of at the path, which it makes if need be.
func bind(fd int, path string) error {
	source := "/proc/self/fd/" + strconv.Itoa(fd)
	info, err := os.Stat(source)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		dir := path
		if !info.IsDir() {
			dir = filepath.Dir(path)
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if !info.IsDir() {
			if err := os.WriteFile(path, nil, 0o644); err != nil {
				return err
			}
		}
	}
	return mount(source, path, "", unix.MS_BIND|unix.MS_REC, "")
}

// readOnly makes all mounts read-only: what is mounted, and not the file systems,
// which the host uses on.
func readOnly() error {
	err := unix.MountSetattr(unix.AT_FDCWD, "/", unix.AT_RECURSIVE, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY})
	if err == nil {
		return nil
	}
	if err != unix.ENOSYS {
		return fmt.Errorf("mount_setattr of all mounts: %w", err)
	}
	for _, line := range lines("/proc/self/mountinfo") { // before Linux 5.12
		fields := strings.Fields(line)
		flags := uintptr(unix.MS_REMOUNT | unix.MS_BIND | unix.MS_RDONLY)
		for _, option := range strings.Split(fields[5], ",") {
			flags |= mountFlags[option]
		}
		if err := mount("", unescape(fields[4]), "", flags, ""); err != nil {
			return err
		}
	}
	return nil
}

// mountFlags are the options of a mount that a new set of flags must repeat.
var mountFlags = map[string]uintptr{
	"nosuid": unix.MS_NOSUID, "nodev": unix.MS_NODEV, "noexec": unix.MS_NOEXEC,
	"noatime": unix.MS_NOATIME, "nodiratime": unix.MS_NODIRATIME, "relatime": unix.MS_RELATIME,
}

// unescape reads a path as /proc/PID/mountinfo writes it.
func unescape(path string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(path)
}

// mountDevices puts a small folder in the place of /dev: a program that is root
// could write over the host's disks.
func mountDevices() error {
	staging := os.TempDir() + "/dev" // for what comes from the host's /dev, before that is away
	if err := os.Mkdir(staging, 0o755); err != nil {
		return err
	}
	if err := mount("tmpfs", staging, "tmpfs", unix.MS_NOSUID, "mode=755"); err != nil {
		return err
	}
	for _, name := range []string{"null", "zero", "full", "random", "urandom", "tty"} {
		fd, err := unix.Open("/dev/"+name, unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			continue
		}
		if err := bind(fd, staging+"/"+name); err != nil {
			return err
		}
		unix.Close(fd)
	}
	for name, target := range map[string]string{"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2", "ptmx": "pts/ptmx"} {
		if err := os.Symlink(target, staging+"/"+name); err != nil {
			return err
		}
	}
	for _, m := range []struct{ name, kind, data string }{
		{"pts", "devpts", "newinstance,ptmxmode=0666,mode=0620"},
		{"shm", "tmpfs", "mode=1777"},
		{"mqueue", "mqueue", ""},
	} {
		if err := os.Mkdir(staging+"/"+m.name, 0o755); err != nil {
			return err
		}
		err := mount(m.kind, staging+"/"+m.name, m.kind, unix.MS_NOSUID|unix.MS_NOEXEC, m.data)
		if err != nil && !errors.Is(err, unix.ENODEV) { // this kernel does not know that kind
			return err
		}
	}
	takeAway("/dev")
	if err := mount(staging, "/dev", "", unix.MS_MOVE, ""); err != nil {
		return err
	}
	return os.Remove(staging)
}

// takeAway unmounts all that is mounted at a path, so that nobody comes upon it
// by unmounting what is mounted there next.
func takeAway(path string) {
	for unix.Unmount(path, unix.MNT_DETACH) == nil {
	}
}

// beyondNamespaces is what below /proc changes the machine for everybody, or
// switches it off.
var beyondNamespaces = []string{"sys", "sysrq-trigger", "irq", "bus", "fs", "acpi", "scsi", "mtrr"}

// mountProc mounts a /proc of the new PID namespace.
func (p Plan) mountProc() error {
	takeAway("/proc")
	if err := mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return err
	}
	if !p.Strict {
		return nil
	}
	for _, name := range beyondNamespaces {
		path := "/proc/" + name
		if _, err := os.Lstat(path); err != nil {
			continue
		}
		if err := mount(path, path, "", unix.MS_BIND, ""); err != nil {
			return err
		}
		if err := mount("", path, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
			return err
		}
	}
	return nil
}

// dropRights takes the dangerous rights away from this thread, for good: what
// execve gives is limited by the bounding set, see capabilities(7).
func (p Plan) dropRights() error {
	if !p.Strict {
		return nil
	}
	for _, right := range dangerousRights {
		err := unix.Prctl(unix.PR_CAPBSET_DROP, right, 0, 0, 0)
		if err != nil && err != unix.EINVAL { // this kernel does not know that right
			return fmt.Errorf("prctl(PR_CAPBSET_DROP, %d): %w", right, err)
		}
	}
	return nil
}
