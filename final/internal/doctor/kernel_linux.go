package doctor

import (
	"fmt"
	"math/bits"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// features are what final uses of newer kernels, oldest first.
var features = []struct {
	major, minor int
	what         string
	state        State // of a kernel without it
}{
	{4, 6, "cgroup namespaces", Fail},
	{5, 3, "pidfd_open(2)", Fail},
	{5, 11, "close_range(2) that marks close-on-exec, overlays in user namespaces", Warn},
	{5, 12, "mount_setattr(2), for volumes that are read-only as a whole", Warn},
}

// kernel compares the version with what final needs.
func (m machine) kernel() Result {
	release := m.read("/proc/sys/kernel/osrelease")
	r := Result{Name: "kernel", Found: "Linux " + release + ", " + m.arch}
	var major, minor int
	if n, _ := fmt.Sscanf(release, "%d.%d", &major, &minor); n != 2 {
		r.State, r.ToDo = Warn, "version 5.12 or later is wanted (is /proc mounted?). This shows it:\n  uname -r"
		r.Found = "the version is not in /proc/sys/kernel/osrelease"
		return r
	}
	var missing []string
	for _, f := range features {
		if major < f.major || major == f.major && minor < f.minor {
			missing = append(missing, f.what)
			r.State = max(r.State, Warn)
			if f.state == Fail {
				r.State = Fail
			}
		}
	}
	if missing != nil {
		r.Found += ": without " + strings.Join(missing, "; ")
		r.ToDo = "use a system with Linux 5.12 or later, such as the workshop's VM:\n  vagrant up"
	}
	return r
}

// needed are the capabilities without which the lessons or final fail.
var needed = []struct {
	bit  int
	name string
}{
	{unix.CAP_SYS_ADMIN, "CAP_SYS_ADMIN"},
	{unix.CAP_SYS_CHROOT, "CAP_SYS_CHROOT"},
	{unix.CAP_NET_ADMIN, "CAP_NET_ADMIN"},
	{unix.CAP_DAC_OVERRIDE, "CAP_DAC_OVERRIDE"},
	{unix.CAP_MKNOD, "CAP_MKNOD"},
	{unix.CAP_SETUID, "CAP_SETUID"},
	{unix.CAP_SETGID, "CAP_SETGID"},
	{unix.CAP_SETPCAP, "CAP_SETPCAP"},
	{unix.CAP_KILL, "CAP_KILL"},
}

// privileges looks for root, and for root with all that makes it root.
func (m machine) privileges() Result {
	r := Result{Name: "privileges"}
	if m.uid != 0 {
		r.State, r.ToDo = Warn, m.withRights()
		r.Found = fmt.Sprintf("ordinary user %d: the lessons from step02 on need sudo, and so do some of these checks", m.uid)
		if m.find("sudo") == "" {
			r.Found = fmt.Sprintf("ordinary user %d, and no sudo: the lessons from step02 on need root", m.uid)
			r.ToDo = "type this, and log in again:\n  su -c 'apt-get install sudo && adduser YOU sudo'"
		}
		return r
	}
	effective, err := strconv.ParseUint(m.field("/proc/self/status", "CapEff"), 16, 64)
	if err != nil {
		return Result{"privileges", Warn, "root; its capabilities are not in /proc/self/status", m.asRoot("mount -t proc proc /proc")}
	}
	var missing []string
	for _, c := range needed {
		if effective&(1<<c.bit) == 0 {
			missing = append(missing, c.name)
		}
	}
	if missing != nil {
		return Result{"privileges", Fail, "root, but without " + strings.Join(missing, ", "), m.withRights()}
	}
	r.Found = fmt.Sprintf("root, with %d capabilities", bits.OnesCount64(effective))
	return r
}

// engine names what made the container that we are in, "" when there is none.
func (m machine) engine() string {
	switch {
	case m.exists("/run/.containerenv"):
		return "Podman"
	case m.exists("/.dockerenv"):
		return "Docker"
	case m.exists("/run/systemd/container"): // systemd writes it at its start in any container
		return m.read("/run/systemd/container")
	case strings.Contains(m.read("/proc/1/cgroup"), "/kubepods"), m.exists("/var/run/secrets/kubernetes.io"):
		return "Kubernetes"
	}
	return ""
}

// initial are the namespaces that the kernel has made at its start: their numbers
// stand in its linux/proc_ns.h (PROC_UTS_INIT_INO and so on). Those of the other
// kinds have none of their own.
var initial = []string{"uts:[4026531838]", "pid:[4026531836]", "ipc:[4026531839]", "cgroup:[4026531835]", "user:[4026531837]"}

// foreignNamespaces are the kinds of which we are in another than the machine's.
func (m machine) foreignNamespaces() (names []string) {
	for _, namespace := range initial {
		kind, _, _ := strings.Cut(namespace, ":")
		link, err := os.Readlink(m.root + "/proc/self/ns/" + kind)
		if err == nil && link != namespace {
			names = append(names, kind)
		}
	}
	return names
}

// container says whether we are in one, and with how many rights. That
// --privileged is missing shows in three ways: in the capabilities, in a seccomp
// filter, and in a /sys that is read-only.
func (m machine) container() []Result {
	engine := m.engine()
	if foreign := m.foreignNamespaces(); engine == "" && foreign != nil {
		return []Result{{Name: "container", Found: "of a kind that is not known: the namespaces " + strings.Join(foreign, ", ") + " are not the machine's own"}}
	}
	if engine == "" {
		return []Result{{Name: "container", Found: "none: this is the machine itself"}}
	}
	r := Result{Name: "container", Found: engine}
	var signs []string
	if effective, err := strconv.ParseUint(m.field("/proc/self/status", "CapBnd"), 16, 64); err == nil && effective&(1<<unix.CAP_SYS_ADMIN) == 0 {
		signs = append(signs, "no CAP_SYS_ADMIN")
	}
	if m.field("/proc/self/status", "Seccomp") == "2" {
		signs = append(signs, "a seccomp filter")
	}
	if m.readOnly("/sys") {
		signs = append(signs, "/sys is read-only")
	}
	if signs == nil {
		r.Found += ", privileged"
		return []Result{r}
	}
	r.Found += " without --privileged: " + strings.Join(signs, ", ")
	r.State, r.ToDo = Warn, "  docker "+privileged
	if signs[0] == "no CAP_SYS_ADMIN" {
		r.State = Fail
	}
	if engine == "Podman" {
		r.ToDo = "  podman " + privileged
	}
	return []Result{r}
}

// fewTasks are too few for the labs: step06's fork bomb alone makes 20.
const fewTasks = 100

// limits looks at how many processes and namespaces there may be.
func (m machine) limits() Result {
	r := Result{Name: "limits"}
	free := m.freeTasks()
	r.Found = fmt.Sprintf("%d more processes", free)
	if free < fewTasks {
		r.State, r.ToDo = Warn, m.asRoot("sysctl -w kernel.pid_max=32768 kernel.threads-max=32768")
	}
	if most, err := strconv.Atoi(m.limit("Max processes")); err == nil && m.uid != 0 && most < fewTasks {
		r.Found = fmt.Sprintf("ulimit -u is %d", most)
		r.State, r.ToDo = Warn, fmt.Sprintf("allow more (a number above the hard limit needs a line in /etc/security/limits.conf):\n  ulimit -u %d", 10*fewTasks)
	}
	if where, rest, found := m.cgroupPids(); found && rest < fewTasks {
		r.Found = fmt.Sprintf("%d more processes in the cgroup %s", max(rest, 0), where)
		r.State, r.ToDo = Warn, m.asRoot("sh -c 'echo max > "+where+"/pids.max'")
	}
	fewest, kind := m.namespaceLimit()
	if kind == "" {
		return r
	}
	r.Found += fmt.Sprintf(", %d namespaces of each kind", fewest)
	if fewest < fewTasks {
		r.Found = fmt.Sprintf("%d %s namespaces", fewest, kind)
		r.State, r.ToDo = Warn, m.asRoot("sysctl -w user.max_"+kind+"_namespaces=1000")
	}
	return r
}

// freeTasks is how many more tasks the kernel would make: proc_loadavg(5)
// counts those that there are.
func (m machine) freeTasks() int {
	number := func(path string) int {
		n, err := strconv.Atoi(m.read(path))
		if err != nil {
			return 1 << 22 // PID_MAX_LIMIT, proc_sys_kernel(5)
		}
		return n
	}
	var tasks int
	if fields := strings.Fields(m.read("/proc/loadavg")); len(fields) > 3 {
		_, total, _ := strings.Cut(fields[3], "/")
		tasks, _ = strconv.Atoi(total)
	}
	return max(min(number("/proc/sys/kernel/pid_max"), number("/proc/sys/kernel/threads-max"))-tasks, 0)
}

// limit returns the soft limit of that name in /proc/self/limits.
func (m machine) limit(name string) string {
	for line := range strings.Lines(m.read("/proc/self/limits")) {
		if rest, found := strings.CutPrefix(line, name); found {
			if fields := strings.Fields(rest); len(fields) > 0 {
				return fields[0]
			}
		}
	}
	return ""
}

// namespaceLimit returns the smallest of the limits in namespaces(7), and
// which kind of namespace it is for.
func (m machine) namespaceLimit() (fewest int, kind string) {
	for _, ns := range kinds {
		n, err := strconv.Atoi(m.read("/proc/sys/user/max_" + ns.name + "_namespaces"))
		if err == nil && (kind == "" || n < fewest) {
			fewest, kind = n, ns.name
		}
	}
	return fewest, kind
}
