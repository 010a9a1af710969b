//go:build linux

package main

// consequence says what a class can see when it leaves a primitive out.
func consequence(primitive string) string {
	return map[string]string{
		"uts":      "The hostname is the host's, and stays as it is. Try:\n  hostname",
		"pid":      "The command sees the host's processes, and can signal them. It is not pid 1. Try:\n  ps",
		"mnt":      "Every mount would be the host's, so none is made: a chroot into the root file system itself is all that is left, without /proc and /dev.",
		"ipc":      "System V IPC and message queues are the host's. Try:\n  ipcs",
		"net":      "The interfaces and ports are the host's. Try:\n  ip address",
		"cgroupns": "The paths in /proc/self/cgroup are the host's.",
		"user":     "Root in the container is root on the host.",
		"pivot":    "chroot stands in for pivot_root: the host's tree is still mounted around it, and root can climb out.",
		"mask":     "The machine's own files in /proc and /sys are open, and root of the machine can write to /proc/sys. Try:\n  ls /proc/kcore",
		"caps":     "The command keeps every capability of whoever starts it: with root's it can mount, load modules, set the clock.",
		"nnp":      "A set-user-ID program in the container gives its rights to whoever starts it.",
		"seccomp":  "The kernel answers every system call: what needs no capability works (keyctl, a new user namespace), and what needs one that the command lacks still fails.",
		"limits":   "The command can take all memory, all CPUs and all pids of the machine.",
	}[primitive]
}
