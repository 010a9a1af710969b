package doctor

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// kinds of namespaces, in the order of the lessons.
var kinds = []struct {
	name   string // as in /proc/PID/ns
	flag   uintptr
	config string // the kernel's build option
}{
	{"uts", unix.CLONE_NEWUTS, "CONFIG_UTS_NS"},
	{"pid", unix.CLONE_NEWPID, "CONFIG_PID_NS"},
	{"mnt", unix.CLONE_NEWNS, "CONFIG_NAMESPACES"},
	{"ipc", unix.CLONE_NEWIPC, "CONFIG_IPC_NS"},
	{"net", unix.CLONE_NEWNET, "CONFIG_NET_NS"},
	{"cgroup", unix.CLONE_NEWCGROUP, "CONFIG_CGROUPS"},
	{"user", unix.CLONE_NEWUSER, "CONFIG_USER_NS"},
}

// namespaces makes one of each kind but user, which userNamespace looks at:
// only root may without a user namespace around it.
func (m machine) namespaces() (results []Result) {
	user := m.uid != 0
	if user && m.clone(unix.CLONE_NEWUSER, false) != nil {
		return []Result{{"namespaces", Warn, "not tried: here they are root's only", m.withRights()}}
	}
	var works []string
	for _, ns := range kinds {
		if ns.name == "user" {
			continue
		}
		if err := m.clone(ns.flag, user); err != nil {
			results = merge(results, m.withoutNamespace(ns.name, ns.config, err))
		} else {
			works = append(works, ns.name)
		}
	}
	if works == nil {
		return results
	}
	found := strings.Join(works, " ")
	if user {
		found += ", in a user namespace"
	}
	return append([]Result{{Name: "namespaces", Found: found}}, results...)
}

// merge adds r, or only its name to a result that is otherwise the same.
func merge(results []Result, r Result) []Result {
	before, errno, _ := strings.Cut(r.Found, ":")
	for i := range results {
		if results[i].ToDo == r.ToDo && strings.HasSuffix(results[i].Found, errno) {
			results[i].Found = strings.TrimSuffix(results[i].Found, ":"+errno) + strings.TrimPrefix(before, "no") + ":" + errno
			return results
		}
	}
	return append(results, r)
}

// withoutNamespace explains, by clone(2)'s errors, why a namespace cannot be made.
func (m machine) withoutNamespace(name, config string, err error) Result {
	r := Result{"namespaces", Fail, "no " + name + ": " + describe(err), m.withRights()}
	switch {
	case errors.Is(err, unix.EINVAL):
		r.ToDo = "use a kernel with " + config + "=y"
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EUSERS):
		r.ToDo = m.asRoot("sysctl -w user.max_" + name + "_namespaces=1000")
	case errors.Is(err, unix.EAGAIN):
		r.ToDo = "these show which limit for processes is reached:\n  ulimit -u\n  cat /sys/fs/cgroup/pids.max"
	case m.uid != 0:
		r.State = Warn // root may be allowed what we are not
	}
	return r
}

// userNamespace looks at what an ordinary user's container needs: a user
// namespace with all the rest in it.
func (m machine) userNamespace() Result {
	r := Result{Name: "rootless", State: Warn}
	if m.read("/proc/sys/kernel/unprivileged_userns_clone") == "0" { // Debian's own, off until Debian 11
		r.Found = "user namespaces are root's only"
		r.ToDo = m.asRoot("sysctl -w kernel.unprivileged_userns_clone=1")
		return r
	}
	if err := m.clone(unix.CLONE_NEWUSER, true); err != nil {
		r = m.withoutNamespace("user", "CONFIG_USER_NS", err)
		r.Name, r.State = "rootless", Warn
		r.Found = "no user namespaces: " + describe(err)
		if r.ToDo == m.withRights() {
			r.ToDo = "run final as root, where it needs no user namespace"
			if m.engine() != "" {
				r.ToDo = "  docker " + privileged
			}
		}
		return r
	}
	report := m.trial(true)
	broken := report.broken()
	if broken == nil && report.errno["overlay"] != 0 {
		broken = &trial{name: "overlay"}
	}
	if broken != nil {
		r.Found = "in a user namespace, " + report.describe(broken)
		r.ToDo = "run final as root, where it needs no user namespace"
		if m.appArmorRestricts() {
			r.ToDo = m.asRoot(appArmorOff)
		}
		return r
	}
	r.State, r.Found = OK, "user namespaces work, with overlay, proc and the rest in them"
	if m.find("newuidmap") == "" {
		r.Found += "; one id only, without newuidmap (uidmap)"
	}
	return r
}

const appArmorOff = "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"

// appArmorRestricts reports whether an ordinary user's user namespaces come
// without capabilities, as on Ubuntu since 24.04.
func (m machine) appArmorRestricts() bool {
	return m.read("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1"
}

// appArmor is silent where there is none of it.
func (m machine) appArmor() []Result {
	switch {
	case m.appArmorRestricts():
		return []Result{{"AppArmor", Warn, "it takes the capabilities from an ordinary user's user namespaces (Ubuntu): final works with sudo only", m.asRoot(appArmorOff)}}
	case m.read("/sys/module/apparmor/parameters/enabled") == "Y":
		return []Result{{Name: "AppArmor", Found: "leaves user namespaces alone"}}
	}
	return []Result{{Name: "AppArmor", Found: "not in use"}}
}

// describe writes an error like strace: EPERM (Operation not permitted).
func describe(err error) string {
	var errno syscall.Errno
	if !errors.As(err, &errno) || unix.ErrnoName(errno) == "" {
		return err.Error()
	}
	name := unix.ErrnoName(errno)
	if errno == unix.EOPNOTSUPP { // two names for one number: the kernel's is this one
		name = "EOPNOTSUPP"
	}
	return fmt.Sprintf("%s (%s)", name, errno.Error())
}

// tryClone makes a process in new namespaces that then fails to become a program:
// execve(2), and nothing that happens before it, answers with ENAMETOOLONG.
func tryClone(flags uintptr, user bool) error {
	noSuchProgram := "/" + strings.Repeat("x", 2*unix.PathMax)
	_, err := syscall.ForkExec(noSuchProgram, []string{"x"}, &syscall.ProcAttr{Sys: inNamespaces(flags, user)})
	if errors.Is(err, unix.ENAMETOOLONG) {
		return nil
	}
	return err
}

// inNamespaces describes a child in new namespaces, where user says with a
// user namespace around them, in which we are root.
func inNamespaces(flags uintptr, user bool) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Cloneflags: flags}
	if user {
		attr.Cloneflags |= unix.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}}
	}
	return attr
}
