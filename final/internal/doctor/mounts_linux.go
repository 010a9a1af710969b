package doctor

import (
	"errors"
	"strings"

	"golang.org/x/sys/unix"
)

// mounts makes what a container's root is made of: a private mount tree, the
// file systems of the kernel, an overlay, pivot_root. And the two kinds of
// interfaces that a network is made of.
func (m machine) mounts() []Result {
	user := m.uid != 0
	report := m.trial(user)
	broken := report.broken()
	switch {
	case broken != nil && user: // userNamespace says why
		return []Result{{"mounts", Warn, "not tried as root", m.withRights()}}
	case broken != nil:
		return []Result{{"mounts", Fail, report.describe(broken), m.repairMount(broken.name, report)}}
	}
	results := []Result{{Name: "mounts", Found: strings.Join(report.works(), " ")}}
	if errno := report.errno["mqueue"]; errno != 0 {
		results = append(results, Result{"mqueue", Warn, "mount: " + describe(errno), "use a kernel with CONFIG_POSIX_MQUEUE=y if you need POSIX message queues"})
	}
	return append(results, m.overlay(report), m.network(report))
}

// repairMount is what to do about the trial that failed.
func (m machine) repairMount(name string, report trialReport) string {
	switch errno := report.errno[name]; {
	case report.start != nil || errno == unix.EPERM || errno == unix.EACCES:
		return m.withRights()
	case errno == unix.ENODEV:
		return "use a kernel that knows the file system " + name
	case name == "pivot_root":
		return "pivot_root cannot move an initramfs, which is this machine's root. Do without:\n  " + m.run + " -without pivot …"
	}
	return "this may say more:\n  dmesg | tail"
}

// overlay reports whether one can lie over the folder where the root file
// system will be. Without it the container's root is read-only.
func (m machine) overlay(report trialReport) Result {
	switch errno := report.errno["overlay"]; errno {
	case 0:
		return Result{Name: "overlay", Found: "works over " + m.lower + ", with a tmpfs on top"}
	case unix.ENODEV:
		return Result{"overlay", Warn, "the kernel has none: a container's root will be read-only", m.asRoot("modprobe overlay")}
	default:
		return Result{"overlay", Warn, "over " + m.lower + ": " + describe(errno) + ": a container's root will be read-only",
			"use a DIR on ext4, xfs, btrfs or tmpfs:\n  " + m.run + " -rootfs DIR …"}
	}
}

// network reports whether the kernel has the interfaces that -network bridge needs.
func (m machine) network(report trialReport) Result {
	for _, kind := range []string{"bridge", "veth"} {
		errno, reached := report.errno[kind]
		if !reached || errno == 0 {
			continue
		}
		without := "  " + m.run + " -network none …"
		todo := m.asRoot("modprobe "+kind) + "\nuntil then:\n" + without
		if !errors.Is(errno, unix.EOPNOTSUPP) && !errors.Is(errno, unix.ENODEV) {
			todo = "this works without it:\n" + without
		}
		return Result{"network", Warn, "a new " + kind + ": " + describe(errno), todo}
	}
	return Result{Name: "network", Found: "bridge veth"}
}

// mountPoints lists where something is mounted, by proc_pid_mountinfo(5).
func (m machine) mountPoints() (points []string) {
	for line := range strings.Lines(m.read("/proc/self/mountinfo")) {
		if fields := strings.Fields(line); len(fields) > 4 {
			points = append(points, fields[4])
		}
	}
	return points
}

// readOnly reports whether the file system at that mount point is read-only,
// by proc_pid_mountinfo(5). The last mount there is the one that counts.
func (m machine) readOnly(point string) (readOnly bool) {
	for line := range strings.Lines(m.read("/proc/self/mountinfo")) {
		if fields := strings.Fields(line); len(fields) > 5 && fields[4] == point {
			readOnly = strings.HasPrefix(fields[5]+",", "ro,")
		}
	}
	return readOnly
}
