// Package enclosure is where a program that somebody has just written can be
// tried as root: namespaces of its own, in which the host's files are read-only,
// what programs write to is a tmpfs, /dev has only harmless devices, /proc/sys and
// /sys are read-only, and each cgroup tree shows a group of its own, with limits.
// This program, started once more, is number 1 of the PID namespace, so that all
// that it starts ends with it.
//
// It stops what a program does by mistake. It is no wall against a program that
// wants to get out: that one is root, and can make a mount writable again. Where
// the machine has neither a cgroup v2 tree of which a part can be had nor the v1
// controller devices, such a program can also make the node of a disk, with mknod.
//
// A program that calls Plan.Run calls Enter first of all:
//
//	func main() {
//		enclosure.Enter()
//		if os.Getenv("INSIDE") != "" {
//			// here is the enclosure
//		}
//		…
//		err := plan.Run(ctx, command) // this program, with INSIDE=1
//	}
package enclosure
