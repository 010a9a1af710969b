package enclosure

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// The cgroups of an enclosure, in each tree where one can be made:
//
//	lessontest-PID-N  has the limits; out of reach from inside. N is the scratch folder's.
//	…/machine         is seen as the tree's root inside
//	…/machine/tests   v2: the first process is in here, so that the root, which is not the
//	                  kernel's own, can hand controllers down
//	…/beside          the first process is in here instead, when the plan says Beside; out
//	                  of reach, too
const (
	GroupPrefix = "lessontest-"
	GroupInside = "machine"
	GroupFirst  = "tests"
	GroupBeside = "beside"
)

// Tasks is how many tasks may be in an enclosure: more than any test of ours has, and few enough for a fork bomb to harm nobody.
const Tasks = 2000

// groupName is the name of the groups of the enclosure with this scratch folder.
func groupName(pid, dir string) string {
	return GroupPrefix + pid + "-" + strings.TrimPrefix(filepath.Base(dir), scratchPrefix)
}

// joinGroups makes the groups, puts this process into them, and makes a cgroup
// namespace of them. It returns the trees where it could. The others stay as the
// host's, read-only.
func (p Plan) joinGroups() (joined []Tree, err error) {
	var known []string
	for _, tree := range Trees() {
		if slices.Contains(known, tree.V1) {
			continue
		}
		known = append(known, tree.V1)
		if !tree.makeGroup(p.Group, p.Strict) {
			continue
		}
		if err := os.WriteFile(filepath.Join(tree.Dir, p.Group, GroupInside, "cgroup.procs"), []byte("0"), 0); err == nil {
			joined = append(joined, tree)
		}
	}
	if p.Beside {
		defer p.stepBeside(joined)()
	}
	if err := unix.Unshare(unix.CLONE_NEWCGROUP); err != nil {
		return nil, fmt.Errorf("unshare(CLONE_NEWCGROUP): %w", err)
	}
	for _, tree := range joined {
		if inside := filepath.Join(tree.Dir, p.Group, GroupInside); tree.V1 == "" {
			if err := os.Mkdir(inside+"/"+GroupFirst, 0o755); err != nil {
				return nil, err
			}
			if err := os.WriteFile(inside+"/"+GroupFirst+"/cgroup.procs", []byte("0"), 0); err != nil {
				return nil, err
			}
		}
	}
	return joined, nil
}

// stepBeside makes a group beside those that are seen, and returns what moves this
// process there. The kernel asks whether it may be moved of the cgroup namespace in
// which the file was opened: that of the host.
func (p Plan) stepBeside(trees []Tree) (step func()) {
	var groups []*os.File
	for _, tree := range trees {
		group := filepath.Join(tree.Dir, p.Group, GroupBeside)
		if unix.Mkdir(group, 0o755) != nil {
			continue
		}
		tree.copyCPUs(group)
		if file, err := os.OpenFile(group+"/cgroup.procs", os.O_WRONLY, 0); err == nil {
			groups = append(groups, file)
		}
	}
	return func() {
		for _, group := range groups {
			group.WriteString("0")
			group.Close()
		}
	}
}

// isGroup reports whether a v2 tree's root is a group like others, not the
// kernel's own: so it is in a cgroup namespace, as in a Docker container.
func (tree Tree) isGroup() bool {
	return tree.V1 == "" && exists(tree.Dir+"/cgroup.type")
}

// groupLeaf is a group for the processes that are in the way, see makeRoom.
const groupLeaf = GroupPrefix + "leaf"

// makeRoom moves the processes in the root of a v2 tree that is a group like
// others into a leaf: such a group hands no controllers down while it holds
// processes. The last of several tests to call leave brings them back.
func makeRoom() (leave func()) {
	var held []*os.File
	for _, tree := range Trees() {
		if !tree.isGroup() {
			continue
		}
		lock, err := os.Open(tree.Dir)
		if err != nil {
			continue
		}
		unix.Flock(int(lock.Fd()), unix.LOCK_SH) // waits for one who leaves, which is soon
		held = append(held, lock)
		leaf := tree.Dir + "/" + groupLeaf
		eventually(time.Second, func() bool {
			if len(lines(tree.Dir+"/cgroup.procs")) == 0 {
				return true
			}
			unix.Mkdir(leaf, 0o755)
			moveProcesses(tree.Dir, leaf)
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
				eventually(time.Second, func() bool {
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

// makeGroup makes the groups in one tree, and reports whether it could. The limits
// come before the group below: v1's devices and memory refuse some where there is one.
func (tree Tree) makeGroup(name string, strict bool) bool {
	tree.handDown(tree.Dir, "cpu", "memory", "pids")
	group := filepath.Join(tree.Dir, name)
	if !tree.makeFolder(group) {
		return false
	}
	tree.limit(group, strict)
	return tree.makeFolder(filepath.Join(group, GroupInside))
}

// makeFolder makes one group that takes processes.
func (tree Tree) makeFolder(dir string) bool {
	if unix.Mkdir(dir, 0o755) != nil {
		return false
	}
	tree.copyCPUs(dir)
	return true
}

func (tree Tree) limit(group string, strict bool) {
	controllers, _ := os.ReadFile(group + "/cgroup.controllers")
	tree.handDown(group, strings.Fields(string(controllers))...)

	memory := strconv.FormatUint(Memory(), 10)
	setFile(group, "memory.use_hierarchy", "1") // v1, before Linux 5.11
	setFile(group, "memory.limit_in_bytes", memory)
	setFile(group, "memory.memsw.limit_in_bytes", memory)
	setFile(group, "memory.max", memory)
	setFile(group, "memory.swap.max", "0")
	setFile(group, "pids.max", strconv.Itoa(Tasks))
	if strict {
		setFile(group, "devices.deny", "a")
		for _, d := range harmlessDevices {
			setFile(group, "devices.allow", d.rule())
		}
		if tree.V1 == "" {
			restrict(group) // or not: what the kernel cannot do, it cannot do
		}
	}
}

// copyCPUs gives a group the CPUs and memory nodes of the group above: on v1, a
// group of the controller cpuset takes no process before it has them.
func (tree Tree) copyCPUs(group string) {
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		if tree.V1 != "" {
			setFile(group, file, strings.Join(lines(filepath.Dir(group)+"/"+file), ""))
		}
	}
}

// handDown gives controllers of a v2 group to its children, as far as there are.
func (tree Tree) handDown(dir string, controllers ...string) {
	for _, controller := range controllers {
		if tree.V1 == "" {
			setFile(dir, "cgroup.subtree_control", "+"+controller)
		}
	}
}

// Memory is how much memory an enclosure may use: half the machine's.
func Memory() uint64 {
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
func mountGroups(trees []Tree) error {
	for _, tree := range trees {
		kind, data := "cgroup2", ""
		if tree.V1 != "" {
			kind, data = "cgroup", tree.V1
			if strings.HasPrefix(data, "name=") {
				data = "none," + data
			}
		}
		takeAway(tree.Dir)
		if err := mount(kind, tree.Dir, kind, unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, data); err != nil {
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
	eventually(5*time.Second, func() bool {
		left := false
		forGroups(name, func(dir string) { left = unix.Rmdir(dir) == unix.EBUSY || left })
		return !left
	})
}

// forGroups calls do with the folders of all groups of an enclosure, those below
// first.
func forGroups(name string, do func(dir string)) {
	for _, tree := range Trees() {
		var dirs []string
		filepath.WalkDir(filepath.Join(tree.Dir, name), func(path string, entry fs.DirEntry, err error) error {
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
