package narrate

import (
	"fmt"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"gonsrun/internal/trace"
)

// devicesChapter are what a container has in its /dev.
func devicesChapter() chapter {
	return chapter{"devices", []rule{
		{calls: "mount", when: both(mounts(unix.MS_REMOUNT), mounts(unix.MS_BIND), isNode), why: "The options of this one mount change: %s.", about: options, fold: newDev, item: last},
		{calls: "mount", when: both(mountsBind, isNode, file("console")), why: "A terminal appears as /dev/console, too.", fold: newDev, item: last},
		{calls: "mount", when: both(mountsBind, isNode), why: "A device appears in the new /dev, too: it is the same one.", fold: newDev, item: last},
		{calls: "mount", when: both(mountsNew, kind("tmpfs"), file("dev")), why: "A new, empty /dev: none of the machine's devices is in it.", man: "tmpfs(5)", fold: newDev, item: last},
		{calls: "mount", when: both(mountsNew, kind("devpts")), why: "A new /dev/pts: the terminals in it are in no other.", man: "pts(4)", fold: newDev, item: last},
		{calls: "mount", when: both(mountsNew, kind("tmpfs"), file("shm")), why: "A new, empty /dev/shm serves for POSIX shared memory.", man: "shm_overview(7)", fold: newDev, item: last},
		{calls: "mount", when: both(mountsNew, kind("mqueue")), why: "The POSIX message queues of this IPC namespace appear as files.", man: "mq_overview(7)", fold: newDev, item: last},

		{calls: "mknod mknodat", when: isDevice, why: "A device node: its two numbers name the driver behind it.", fold: newNodes, item: last},
		{calls: "mknod mknodat", why: "A special file appears in /dev.", item: inRoot},
		{calls: "symlink symlinkat", why: "A name in /dev leads to %s.", about: source, fold: newDev, item: last},
	}}
}

const (
	newDev       = "new /dev"
	newNodes     = "Device nodes: the two numbers of each name its driver."
	hidden       = "These are hidden: who looks finds an empty file or folder."
	readOnlyPath = "Made read-only: each is bound to itself, and then remounted."
	cgroupPlaces = "The cgroup trees appear in the new root."
	turns        = "new root"
	mountCopy    = "a copy of a mount"
	newMount     = "A new file system, step by step: options, then the mount."
)

// copiesChapter are copies of mounts, for whatever is told before: a root, or a program.
func copiesChapter() chapter {
	return chapter{"", []rule{
		{calls: "open_tree", when: hasBits(2, unix.OPEN_TREE_CLONE), why: "A mount is copied, to no place yet: only a descriptor has it.", fold: mountCopy},
		{calls: "mount_setattr", when: setsAttribute("MOUNT_ATTR_RDONLY"), why: "What is on this mount can no longer be changed.", fold: mountCopy, item: nowReadOnly},
	}}
}

// rootChapter is the tree of files that a container sees: mounts, and where it begins.
// The kernel looks at the flags of mount(2) in the order in which they stand here:
// with the first that is there the others mean nothing, or are options of it.
func rootChapter() chapter {
	return chapter{"root", []rule{
		{calls: "mount", when: both(mounts(unix.MS_REMOUNT), mounts(unix.MS_RDONLY), inMachineFiles), why: "This mount changes its options: %s.", about: options, fold: readOnlyPath, item: inRoot},
		{calls: "mount", when: both(mounts(unix.MS_REMOUNT), inCgroups), why: "This mount of a cgroup tree changes its options: %s.", about: options, fold: cgroupPlaces, item: last},
		{calls: "mount", when: both(mounts(unix.MS_REMOUNT), mounts(unix.MS_BIND)), why: "The options of this one mount change: %s.", about: options},
		{calls: "mount", when: mounts(unix.MS_REMOUNT), why: "The options of this mount, and of its file system, change: %s.", about: options},

		{calls: "mount", when: both(mounts(unix.MS_BIND), from("/dev/null")), why: "A file is hidden: who reads it gets nothing, as from /dev/null.", fold: hidden, item: last},
		{calls: "mount", when: both(mounts(unix.MS_BIND), toItself, inMachineFiles), why: "Bound to itself, a path becomes a mount with its own options.", fold: readOnlyPath, item: inRoot},
		{calls: "mount", when: both(mounts(unix.MS_BIND), toItself), why: "Bound to itself, a path becomes a mount of its own."},
		{calls: "mount", when: both(mounts(unix.MS_BIND), inCgroups), why: "Part of a cgroup tree appears at a second place.", man: cgroups, fold: cgroupPlaces, item: last},
		{calls: "mount", when: both(mounts(unix.MS_BIND), fromNamespace), why: "A namespace gets a name in the file system, and lives on without processes.", man: "namespaces(7)"},
		{calls: "mount", when: both(mounts(unix.MS_BIND), from("/proc/self/exe")), why: "This program's own file appears at a second place: a bind mount."},
		{calls: "mount", when: both(mounts(unix.MS_BIND), mounts(unix.MS_REC)), why: "A file or folder appears at a second place, with all mounts below it: a bind mount."},
		{calls: "mount", when: mounts(unix.MS_BIND), why: "A file or folder appears at a second place: a bind mount."},

		{calls: "mount", when: both(mounts(unix.MS_PRIVATE), inMachineFiles), why: "Private: mounts made here stay here, and none comes in.", fold: readOnlyPath, item: inRoot},
		{calls: "mount", when: mounts(unix.MS_SHARED), why: "Shared: mounts made here appear in all copies of this mount."},
		{calls: "mount", when: mounts(unix.MS_PRIVATE), why: "Private: mounts made here stay here, and none comes in."},
		{calls: "mount", when: mounts(unix.MS_SLAVE), why: "Slave: what others mount comes in, and nothing goes out."},
		{calls: "mount", when: mounts(unix.MS_UNBINDABLE), why: "Unbindable: this mount is private, and cannot be bound elsewhere."},
		{calls: "mount", when: mounts(unix.MS_MOVE), why: "A mount moves to another place."},

		{calls: "mount", when: kind("proc"), why: "A new /proc shows the processes of this PID namespace.", man: "proc(5)"},
		{calls: "mount", when: kind("sysfs"), why: "A new /sys shows the interfaces of this network namespace.", man: "sysfs(5)"},
		{calls: "mount", when: both(kind("tmpfs"), inMachineFiles, isMask), why: "A folder is hidden behind an empty file system.", fold: hidden, item: last},
		{calls: "mount", when: both(kind("tmpfs"), inCgroups), why: "A place in memory for the cgroup trees: it begins empty.", man: "tmpfs(5)", fold: cgroupPlaces, item: last},
		{calls: "mount", when: kind("tmpfs", "ramfs"), why: "A file system in memory: empty now, and gone when unmounted.", man: "tmpfs(5)"},
		{calls: "mount", when: both(kind("overlay"), hasUpper), why: "An overlay is folders seen as one: changes go into the upper."},
		{calls: "mount", when: kind("overlay"), why: "An overlay is folders seen as one: nothing can be changed."},
		{calls: "mount", when: isFuse, why: "A program is behind this file system: what is asked of it goes there.", man: "fuse(4)"},
		{calls: "mount", when: kind("cgroup"), why: "A tree of cgroup v1 appears, with the controllers that the options name.", man: cgroups, fold: cgroupPlaces, item: last},
		{calls: "mount", when: kind("cgroup2"), why: "The tree of cgroup v2 appears: its root is that of this cgroup namespace.", man: cgroups},
		{calls: "mount", why: "A file system is mounted, in this mount namespace."},

		{calls: "umount2", when: both(at("."), hasBits(1, unix.MNT_DETACH)), why: "The mount on top here goes: after pivot_root, the old root.", fold: turns, item: words("the old root goes")},
		{calls: "umount2", when: hasBits(1, unix.MNT_DETACH), why: "A mount goes, with all below it. Who still uses it may finish."},
		{calls: "umount2", when: hasBits(1, unix.MNT_EXPIRE), why: "A mount that nobody uses is marked; the second such call takes it away."},
		{calls: "umount2", why: "A mount goes away, in this mount namespace."},

		{calls: "open_tree", why: "A file or folder is opened by its place in the tree of mounts, and not for reading."},
		{calls: "move_mount", when: both(says("MOVE_MOUNT_F_EMPTY_PATH"), isNode), why: "The mount that the descriptor leads to gets its place in the new /dev.", fold: newDev, item: last},
		{calls: "move_mount", when: says("MOVE_MOUNT_F_EMPTY_PATH"), why: "The mount that the descriptor leads to gets this place in the tree."},
		{calls: "move_mount", why: "A mount moves to another place."},
		{calls: "fsopen", why: "A new file system begins, of the kind %s. Its options come next.", about: kindName, fold: newMount, item: kindName},
		{calls: "fsconfig", when: value(1, fsconfigCreate), why: "All options are set: the kernel makes the file system.", fold: newMount, item: words("it is made")},
		{calls: "fsconfig", when: value(1, fsconfigCreateExcl), why: "All options are set: the kernel makes the file system, and takes none that is there already.", fold: newMount, item: words("it is made")},
		{calls: "fsconfig", when: value(1, fsconfigReconfigure), why: "The file system gets its new options."},
		{calls: "fsconfig", why: "An option of the file system is set: %s.", about: setting, fold: newMount, item: setting},
		{calls: "fsmount", why: "It becomes a mount, at no place yet: only a descriptor has it.", fold: newMount, item: words("it becomes a mount")},
		{calls: "fspick", why: "A file system that is mounted is picked, to change its options."},
		{calls: "mount_setattr", when: setsAttribute("MOUNT_ATTR_IDMAP"), why: "Files on this mount belong to other users than on disk, as a user namespace maps their ids."},
		{calls: "mount_setattr", when: says("propagation=MS_PRIVATE"), why: "Private: mounts made here stay here, and none comes in."},
		{calls: "mount_setattr", why: "The options of mounts change."},
		{calls: "statmount", why: "The kernel is asked what it knows of a mount."},

		{calls: "pivot_root", when: at("."), why: "This folder becomes the root, with the old root on top of it.", fold: turns, item: words("pivot_root")},
		{calls: "pivot_root", why: "Another mount becomes the root of this mount namespace, and the old root moves below it."},
		helper("fuse-overlayfs is an overlay that a program makes, for users without the right to a mount.", "fuse-overlayfs(1)", "fuse-overlayfs"),
		helper("fusermount mounts or unmounts for an ordinary user, where a program is the file system.", "fusermount3(1)", "fusermount", "fusermount3"),
		helper("mount mounts a file system.", "mount(8)", "mount"),
		helper("umount takes a mount away.", "umount(8)", "umount"),
		{calls: "chroot", why: "From now on, a path that begins with / begins in this folder."},
	}}
}

// Commands of fsconfig(2).
const (
	fsconfigCreate      = 6
	fsconfigReconfigure = 7
	fsconfigCreateExcl  = 8
)

// isNode is true of a path in a folder dev that programs use as a device.
func isNode(c *trace.Call) bool {
	return path.Base(folder(c)) == "dev" && !file("pts", "shm", "mqueue", "hugepages", "fd", "log")(c)
}

// inMachineFiles is true of a path in /proc or /sys, whatever they are mounted below,
// that is no cgroup's.
func inMachineFiles(c *trace.Call) bool {
	return below("/proc/", "/sys/")(c) && !inCgroups(c) && !strings.Contains(c.Path, "/self/fd/")
}

func inCgroups(c *trace.Call) bool { return strings.Contains(c.Path+"/", "/sys/fs/cgroup/") }

func at(path string) condition { return func(c *trace.Call) bool { return c.Path == path } }

func from(path string) condition { return func(c *trace.Call) bool { return c.Source == path } }

func toItself(c *trace.Call) bool {
	return c.Source != "" && path.Clean(c.Source) == path.Clean(c.Path)
}

func fromNamespace(c *trace.Call) bool {
	return strings.HasPrefix(c.Source, "/proc/") && strings.Contains(c.Source, "/ns/")
}

func mountsBind(c *trace.Call) bool {
	return mounts(unix.MS_BIND)(c) && !mounts(unix.MS_REMOUNT)(c)
}

func isFuse(c *trace.Call) bool { return strings.HasPrefix(c.Kind, "fuse") }

// mountsNew is true of a mount that makes one of a new file system.
func mountsNew(c *trace.Call) bool {
	return !mounts(unix.MS_REMOUNT | unix.MS_BIND | unix.MS_SHARED | unix.MS_PRIVATE | unix.MS_SLAVE | unix.MS_UNBINDABLE | unix.MS_MOVE)(c)
}

// isMask is true of a file system that nothing can be put into.
func isMask(c *trace.Call) bool {
	return mounts(unix.MS_RDONLY)(c) || strings.Contains(","+c.Value+",", ",size=0,") || strings.Contains(","+c.Value+",", ",size=0k,")
}

func hasUpper(c *trace.Call) bool { return strings.Contains(","+c.Value, ",upperdir=") }

// setsAttribute is true of a mount_setattr that sets this, and does not clear it.
func setsAttribute(name string) condition {
	return func(c *trace.Call) bool {
		_, set, _ := strings.Cut(c.Text(), "attr_set=")
		set, _, _ = strings.Cut(set, ",")
		return strings.Contains(set, name)
	}
}

// isDevice is true of a mknod that makes a node of a device.
func isDevice(c *trace.Call) bool {
	mode := c.Values[1]
	if c.Name() == "mknodat" {
		mode = c.Values[2]
	}
	return mode&unix.S_IFMT == unix.S_IFCHR || mode&unix.S_IFMT == unix.S_IFBLK
}

// inRoot is a path in /dev, /proc or /sys without the root that they are below.
func inRoot(c *trace.Call) string {
	for _, name := range []string{"/dev/", "/proc/", "/sys/"} {
		if i := strings.LastIndex(path.Clean(c.Path)+"/", name); i >= 0 {
			return shown(path.Clean(c.Path)[i:])
		}
	}
	return whole(c)
}

func source(c *trace.Call) string { return shown(c.Source) }

func kindName(c *trace.Call) string { return shown(c.Kind) }

// setting is an option and its value, as fsconfig sets it.
func setting(c *trace.Call) string {
	if c.Value == "" {
		return shown(c.Kind)
	}
	return fmt.Sprintf("%s=%s", shown(c.Kind), shown(c.Value))
}

// options names what a mount will not let happen.
func options(c *trace.Call) string {
	var all []string
	for _, o := range []struct {
		flag uint64
		text string
	}{
		{unix.MS_RDONLY, "read-only"}, {unix.MS_NOSUID, "no set-user-ID programs"},
		{unix.MS_NODEV, "no devices"}, {unix.MS_NOEXEC, "no programs"},
	} {
		if c.MountFlags()&o.flag != 0 {
			all = append(all, o.text)
		}
	}
	if all == nil {
		return "nothing is forbidden"
	}
	return strings.Join(all, ", ")
}

func nowReadOnly(*trace.Call) string { return "mount_setattr makes it read-only" }

// last is the last part of the path that a call is about.
func last(c *trace.Call) string { return shown(path.Base(c.Path)) }
