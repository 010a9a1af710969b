//go:build linux

package main

import "gonsrun/final/internal/mounts"

// defaultMounts are those that the OCI runtime-spec asks for (config-linux.md,
// Default Filesystems).
func defaultMounts(spec *Spec) []mounts.Mount {
	list := []mounts.Mount{
		{Destination: "/proc", Type: "proc", Source: "proc", Options: []string{"nosuid", "noexec", "nodev"}},
		sysMount(spec),
		// The host's devices stay out: the container gets a /dev with those few that harm nobody.
		{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "nodev", "strictatime", "mode=755", "size=65536k"}},
		{Destination: "/dev/pts", Type: "devpts", Source: "devpts", Options: []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"}},
		{Destination: "/dev/shm", Type: "tmpfs", Source: "shm", Options: []string{"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}},
	}
	if spec.has("ipc") {
		list = append(list, mounts.Mount{Destination: "/dev/mqueue", Type: "mqueue", Source: "mqueue", Options: []string{"nosuid", "noexec", "nodev"}})
	}
	return list
}

// sysMount is /sys, read-only: most of it is the machine's. A new one belongs to
// the network namespace; without one of our own in a user namespace, only the
// host's can be shown again.
func sysMount(spec *Spec) mounts.Mount {
	if spec.has("user") && !spec.has("net") {
		return mounts.Mount{Destination: "/sys", Source: "/sys", Options: []string{"rbind", "nosuid", "noexec", "nodev", "ro"}}
	}
	return mounts.Mount{Destination: "/sys", Type: "sysfs", Source: "sysfs", Options: []string{"nosuid", "noexec", "nodev", "ro"}}
}

// The paths that Docker masks and makes read-only: they show or change what is
// the machine's, not the container's.
var (
	maskedPaths = []string{"/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys",
		"/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi",
		"/sys/firmware", "/sys/devices/virtual/powercap"}
	readonlyPaths = []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}
)

// devices are the nodes that it asks for (config-linux.md, Default Devices).
var devices = []string{"null", "zero", "full", "random", "urandom", "tty"}

// links are the symbolic links in /dev that it asks for (runtime-linux.md).
var links = []struct{ name, target string }{
	{"fd", "/proc/self/fd"},
	{"stdin", "/proc/self/fd/0"},
	{"stdout", "/proc/self/fd/1"},
	{"stderr", "/proc/self/fd/2"},
	{"ptmx", "pts/ptmx"},
}
