package lessontest

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// The cgroups of an enclosure, in each tree where one can be made:
//
//	lessontest-PID-N  has the limits; out of reach from inside. N is the scratch folder's.
//	…/machine         is seen as the tree's root inside
//	…/machine/tests   v2: the tests are in here, so that the root, which is not the
//	                  kernel's own, can hand controllers down
const (
	groupPrefix = "lessontest-"
	groupInside = "machine"
	groupTests  = "tests"
)

// enclosureTasks is how many tasks may be in an enclosure: more than any test of
// ours has, and few enough for a fork bomb to harm nobody.
const enclosureTasks = 2000

// groupName is the name of the groups of the enclosure with this scratch folder.
func groupName(pid, dir string) string {
	return groupPrefix + pid + "-" + strings.TrimPrefix(filepath.Base(dir), scratchPrefix)
}

// joinGroups makes the groups, puts this process into them, and makes a cgroup
// namespace of them. It returns the trees where it could. The others stay as the
// host's, read-only.
func joinGroups(name string, strict bool) (joined []cgroupTree, err error) {
	var known []string
	for _, tree := range cgroupTrees() {
		if slices.Contains(known, tree.v1) {
			continue
		}
		known = append(known, tree.v1)
		if !tree.makeGroup(name, strict) {
			continue
		}
		if err := os.WriteFile(filepath.Join(tree.dir, name, groupInside, "cgroup.procs"), []byte("0"), 0); err == nil {
			joined = append(joined, tree)
		}
	}
	if err := unix.Unshare(unix.CLONE_NEWCGROUP); err != nil {
		return nil, fmt.Errorf("unshare(CLONE_NEWCGROUP): %w", err)
	}
	for _, tree := range joined {
		if inside := filepath.Join(tree.dir, name, groupInside); tree.v1 == "" {
			if err := os.Mkdir(inside+"/"+groupTests, 0o755); err != nil {
				return nil, err
			}
			if err := os.WriteFile(inside+"/"+groupTests+"/cgroup.procs", []byte("0"), 0); err != nil {
				return nil, err
			}
		}
	}
	return joined, nil
}

// isGroup reports whether a v2 tree's root is a group like others, not the
// kernel's own: so it is in a cgroup namespace, as in a Docker container.
func (tree cgroupTree) isGroup() bool {
	return tree.v1 == "" && exists(tree.dir+"/cgroup.type")
}

// groupLeaf is a group for the processes that are in the way, see makeRoom.
const groupLeaf = groupPrefix + "leaf"

// makeRoom moves the processes in the root of a v2 tree that is a group like
// others into a leaf: such a group hands no controllers down while it holds
// processes. The last of several tests to call leave brings them back.
func makeRoom() (leave func()) {
	var held []*os.File
	for _, tree := range cgroupTrees() {
		if !tree.isGroup() {
			continue
		}
		lock, err := os.Open(tree.dir)
		if err != nil {
			continue
		}
		unix.Flock(int(lock.Fd()), unix.LOCK_SH) // waits for one who leaves, which is soon
		held = append(held, lock)
		leaf := tree.dir + "/" + groupLeaf
		Eventually(Soon, func() bool {
			if len(lines(tree.dir+"/cgroup.procs")) == 0 {
				return true
			}
			unix.Mkdir(leaf, 0o755)
			moveProcesses(tree.dir, leaf)
			return false
		})
	}
	return func() {
		for _, lock := range held {
			leaf := lock.Name() + "/" + groupLeaf
			if exists(leaf) && unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
				for _, controller := range strings.Fields(strings.Join(lines(lock.Name()+"/cgroup.subtree_control"), " ")) {
					setFile(lock.Name(), "cgroup.subtree_control", "-"+controller)
				}
				Eventually(Soon, func() bool {
					moveProcesses(leaf, lock.Name())
					return unix.Rmdir(leaf) != unix.EBUSY
				})
			}
			lock.Close()
		}
	}
}

func moveProcesses(from, to string) {
	for _, pid := range lines(from + "/cgroup.procs") {
		if pid != "0" { // of another PID namespace
			setFile(to, "cgroup.procs", pid)
		}
	}
}

// makeGroup makes the groups in one tree, and reports whether it could.
func (tree cgroupTree) makeGroup(name string, strict bool) bool {
	tree.handDown(tree.dir, "cpu", "memory", "pids")
	group := filepath.Join(tree.dir, name)
	for _, dir := range []string{group, filepath.Join(group, groupInside)} {
		if unix.Mkdir(dir, 0o755) != nil {
			return false
		}
		// On v1 a group of the controller cpuset takes no process before it has these.
		for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
			if tree.v1 != "" {
				setFile(dir, file, strings.Join(lines(filepath.Dir(dir)+"/"+file), ""))
			}
		}
	}
	controllers, _ := os.ReadFile(group + "/cgroup.controllers")
	tree.handDown(group, strings.Fields(string(controllers))...)

	memory := strconv.FormatUint(enclosureMemory(), 10)
	setFile(group, "memory.use_hierarchy", "1") // v1, before Linux 5.11
	setFile(group, "memory.limit_in_bytes", memory)
	setFile(group, "memory.memsw.limit_in_bytes", memory)
	setFile(group, "memory.max", memory)
	setFile(group, "memory.swap.max", "0")
	setFile(group, "pids.max", itoa(enclosureTasks))
	if strict {
		setFile(group, "devices.deny", "a")
		for _, d := range harmlessDevices {
			setFile(group, "devices.allow", d.rule())
		}
		if tree.v1 == "" {
			restrict(group) // or not: what the kernel cannot do, it cannot do
		}
	}
	return true
}

// handDown gives controllers of a v2 group to its children, as far as there are.
func (tree cgroupTree) handDown(dir string, controllers ...string) {
	for _, controller := range controllers {
		if tree.v1 == "" {
			setFile(dir, "cgroup.subtree_control", "+"+controller)
		}
	}
}

// enclosureMemory is how much memory an enclosure may use: half the machine's.
func enclosureMemory() uint64 {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return 1 << 30
	}
	return uint64(info.Totalram) * uint64(info.Unit) / 2
}

// setFile writes to a file that not every tree and not every kernel has.
func setFile(dir, name, value string) {
	if exists(dir + "/" + name) {
		os.WriteFile(dir+"/"+name, []byte(value), 0)
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// mountGroups puts the trees in the place of the host's. In this cgroup namespace
// they have the new groups for roots.
func mountGroups(trees []cgroupTree) error {
	for _, tree := range trees {
		kind, data := "cgroup2", ""
		if tree.v1 != "" {
			kind, data = "cgroup", tree.v1
			if strings.HasPrefix(data, "name=") {
				data = "none," + data
			}
		}
		takeAway(tree.dir)
		if err := mount(kind, tree.dir, kind, unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, data); err != nil {
			return err
		}
	}
	return nil
}

// thawGroups lets the processes in a group run, and so die: a program can have
// frozen all there are.
func thawGroups(name string) {
	forGroups(name, func(dir string) {
		setFile(dir, "freezer.state", "THAWED")
		setFile(dir, "cgroup.freeze", "0")
	})
}

// removeGroups removes the groups of an enclosure whose processes have ended, or
// are about to.
func removeGroups(name string) {
	Eventually(leftoverPatience, func() bool {
		left := false
		forGroups(name, func(dir string) { left = unix.Rmdir(dir) == unix.EBUSY || left })
		return !left
	})
}

// forGroups calls do with the folders of all groups of an enclosure, those below
// first.
func forGroups(name string, do func(dir string)) {
	for _, tree := range cgroupTrees() {
		var dirs []string
		filepath.WalkDir(filepath.Join(tree.dir, name), func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.IsDir() {
				dirs = append(dirs, path)
			}
			return nil
		})
		for _, dir := range slices.Backward(dirs) {
			do(dir)
		}
	}
}
