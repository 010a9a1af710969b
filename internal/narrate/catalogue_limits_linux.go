package narrate

import (
	"fmt"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"gonsrun/internal/trace"
)

// limitsChapter are cgroups: what a group of processes may take of the machine. See
// cgroups(7), cpuset(7), and admin-guide/cgroup-v2 and cgroup-v1 in the kernel's
// documentation.
func limitsChapter() chapter {
	return chapter{"limits", []rule{
		{calls: "mkdir mkdirat", when: inV1, why: eachTree, fold: ofTrees, item: group},
		{calls: "mkdir mkdirat", why: "A new folder in a cgroup tree is a new cgroup: the kernel fills it with files."},
		{calls: "rmdir unlinkat", why: groupGoes, fold: groupGoes, item: group},
		{calls: "unshare", when: value(0, unix.CLONE_NEWCGROUP), why: "This process sees its own cgroup as the root of all cgroups.", man: "cgroup_namespaces(7)"},

		{calls: writing, when: both(membership, writes("0"), inV1), why: "This process (0) moves into the group in this controller's tree.", man: cgroups, fold: ofTrees, item: intoGroup},
		{calls: writing, when: both(membership, inV1), why: "Process %s moves into the group in this controller's tree.", about: number, man: cgroups, fold: ofTrees, item: intoGroup},
		{calls: writing, when: both(membership, writes("0")), why: "This process (0) moves into the cgroup, and all that it starts.", man: cgroups},
		{calls: writing, when: both(membership, file("cgroup.procs")), why: "Process %s moves into the cgroup, and all that it starts.", about: number, man: cgroups, fold: "moves", item: number},
		{calls: writing, when: membership, why: "Thread %s moves into the cgroup, and all that it starts.", about: number, man: cgroups, fold: "moves", item: number},

		{calls: writing, when: both(file("cgroup.subtree_control"), takes, gives), why: "The groups below get some controllers, and lose others.", man: cgroups},
		{calls: writing, when: both(file("cgroup.subtree_control"), takes), why: "The groups below lose these controllers.", man: cgroups},
		inGroup("The groups below get these controllers: in cgroup v2 a group has what its parent hands down.", "cgroup.subtree_control"),
		inGroup("Every process in the cgroup is killed.", "cgroup.kill"),
		{calls: writing, when: both(file("cgroup.freeze", "freezer.state"), writes("0", "THAWED")), why: "The cgroup's frozen processes go on.", man: cgroups},
		inGroup("Every process in the cgroup is frozen: it does not run until somebody lets it go on.", "cgroup.freeze", "freezer.state"),
		inGroup("From now on the cgroup holds single threads, and not only whole processes.", "cgroup.type"),
		inGroup("This says whether a program starts when the cgroup's last process has gone.", "notify_on_release"),
		inGroup("This says whether a new group in here begins with this one's CPUs and memory nodes.", "cgroup.clone_children"),

		// In cgroup v1 a list says which devices may be used, in v2 a program.
		{calls: writing, when: both(file("devices.deny"), writes("a")), why: "All devices are forbidden: nobody in the cgroup can open one.", man: cgroups, fold: listsDevices, item: denied},
		{calls: writing, when: file("devices.deny"), why: "These devices are forbidden to the processes in the cgroup.", man: cgroups, fold: listsDevices, item: denied},
		{calls: writing, when: both(file("devices.allow"), writes("a")), why: "All devices that the parent group may use are allowed.", man: cgroups, fold: listsDevices, item: allowed},
		{calls: writing, when: file("devices.allow"), why: "A device is allowed, by its numbers: to read (r), to write (w), to make its node (m).", man: cgroups, fold: listsDevices, item: allowed},
		{calls: "bpf", when: option(unix.BPF_PROG_LOAD), why: "A small program is loaded, which can say what devices may be opened. The kernel checks it first."},
		{calls: "bpf", when: option(unix.BPF_PROG_DETACH), why: "This program no longer says which devices the cgroup's processes may open."},
		{calls: "bpf", why: "From now on the program says which devices the cgroup's processes may open."},

		{calls: writing, when: both(inCgroupTree, writes("max", "-1")), why: "Here is no limit of this kind.", man: cgroups},
		said("The group has at most %s tasks: threads count, too.", number, "pids.max"),
		said("There may be at most %s cgroups below this one.", number, "cgroup.max.descendants"),
		said("There may be at most %s levels of cgroups below this one.", number, "cgroup.max.depth"),

		said("The group gets at most %s of memory: who takes more is killed.", amount, "memory.max", "memory.limit_in_bytes"),
		said("The group gets at most %s of swap.", amount, "memory.swap.max"),
		said("The group gets at most %s of memory and swap together.", amount, "memory.memsw.limit_in_bytes"),
		said("Above %s the processes are slowed down, and not yet killed.", amount, "memory.high", "memory.swap.high"),
		said("When the machine runs short of memory, the group is pushed back to %s.", amount, "memory.soft_limit_in_bytes"),
		said("%s are left to the group as long as others have memory to give.", amount, "memory.low"),
		said("%s are left to the group, whatever happens.", amount, "memory.min"),
		said("The kernel uses at most %s of memory for these processes.", amount, "memory.kmem.limit_in_bytes", "memory.kmem.tcp.limit_in_bytes"),
		inGroup("This says how soon the group's memory goes to swap: with 0, last.", "memory.swappiness"),
		inGroup("With 1, a process that finds no memory waits, and none is killed.", "memory.oom_control"),
		inGroup("With 1, all processes in the group are killed together when memory runs out.", "memory.oom.group"),

		said("The group has the CPU for at most %s.", quota, "cpu.max"),
		said("The group has the CPU for at most %s microseconds in each period.", number, "cpu.cfs_quota_us"),
		said("The period that the quota of CPU time belongs to is %s microseconds.", number, "cpu.cfs_period_us"),
		said("CPU time that was not used is saved, up to %s microseconds.", number, "cpu.max.burst", "cpu.cfs_burst_us"),
		inGroup("When CPUs are busy, each group gets time in proportion to this number.", "cpu.weight", "cpu.shares"),
		inGroup("With 1, the group's processes run only when nobody else wants the CPU.", "cpu.idle"),
		inGroup("These microseconds limit the CPU time of real-time tasks.", "cpu.rt_runtime_us", "cpu.rt_period_us"),
		{calls: writing, when: file("cpuset.cpus"), why: "The group runs on these CPUs only: %s.", about: number, man: "cpuset(7)"},
		{calls: writing, when: file("cpuset.mems"), why: "The group gets memory of these NUMA nodes only: %s.", about: number, man: "cpuset(7)"},
		{calls: writing, when: file("cpuset.cpus.partition", "cpuset.cpu_exclusive"), why: "This says whether other groups may use the same CPUs.", man: "cpuset(7)"},

		inGroup("This disk gives the group at most so much in a second.", "io.max", "blkio.throttle.read_bps_device",
			"blkio.throttle.write_bps_device", "blkio.throttle.read_iops_device", "blkio.throttle.write_iops_device"),
		inGroup("When a disk is busy, each group gets its share in proportion to this number.", "io.weight", "io.bfq.weight", "blkio.weight", "blkio.bfq.weight"),
		{calls: writing, when: hugePages, why: "The group gets at most %s in huge pages of this size.", about: amount, man: cgroups},
		inGroup("The group gets at most so many objects of an RDMA network card.", "rdma.max"),
		inGroup("Packets of these processes carry this number, by which firewalls and traffic control know them.", "net_cls.classid"),
		inGroup("This is the priority of these processes' packets, for an interface.", "net_prio.ifpriomap"),
		{calls: writing, when: inCgroupTree, why: "A file of a cgroup gets a new value.", man: cgroups},

		{calls: writing, when: file("oom_score_adj", "oom_adj"), why: "When memory runs out, the process with the highest score is killed. This is added to the score.", man: "proc(5)"},
	}}
}

const (
	writing = "write pwrite64"
	cgroups = "cgroups(7)"

	eachTree     = "In cgroup v1 each controller has a tree of its own, and the group is a folder in each."
	groupGoes    = "A cgroup without processes is removed like an empty folder."
	ofTrees      = "In cgroup v1 the group is made and entered in each tree."
	listsDevices = "A list says which devices the group's processes may use."
)

// inGroup is a rule for what is written to one of these files of a cgroup.
func inGroup(why string, names ...string) rule {
	return rule{calls: writing, when: both(inCgroupTree, file(names...)), why: why, man: cgroups}
}

// said is such a rule, whose sentence says what is written.
func said(why string, about text, names ...string) rule {
	r := inGroup(why, names...)
	r.about = about
	return r
}

// group is the controller whose tree a call is about, in cgroup v1, and else the group.
func group(c *trace.Call) string {
	if t, ok := treeOf(c.Path); ok && t.v1 {
		return shown(path.Base(t.dir))
	}
	return whole(c)
}

func intoGroup(c *trace.Call) string { return "into " + group(c) }

func inV1(c *trace.Call) bool { return isV1(c.Path) }

// inCgroupTree is true of a write to a file that is none of /proc, and no socket:
// of others isTold accepts only those of cgroups.
func inCgroupTree(c *trace.Call) bool {
	return strings.HasPrefix(c.Path, "/") && !strings.HasPrefix(c.Path, "/proc/")
}

// membership is true of a write to the list of a cgroup's processes or threads.
func membership(c *trace.Call) bool {
	return inCgroupTree(c) && file("cgroup.procs", "tasks", "cgroup.threads")(c)
}

// takes and gives look for controllers that a list takes away, and that it adds.
func takes(c *trace.Call) bool { return strings.Contains(" "+written(c), " -") }

func gives(c *trace.Call) bool { return strings.Contains(written(c), "+") }

func hugePages(c *trace.Call) bool { return strings.HasPrefix(base(c), "hugetlb.") }

func denied(c *trace.Call) string { return "deny " + number(c) }

func allowed(c *trace.Call) string { return "allow " + number(c) }

// number is what is written, as it is.
func number(c *trace.Call) string { return shown(written(c)) }

// amount is a number of bytes in the largest unit that has no rest.
func amount(c *trace.Call) string {
	bytes, err := strconv.ParseUint(written(c), 10, 64)
	if err != nil {
		return number(c) // 64M, as cgroup v2 takes it, too
	}
	unit := 0
	for bytes != 0 && bytes%1024 == 0 && unit < 3 {
		bytes, unit = bytes/1024, unit+1
	}
	return fmt.Sprintf("%d %s", bytes, []string{"bytes", "KiB", "MiB", "GiB"}[unit])
}

// quota is what cpu.max says: microseconds in each period, and perhaps the period.
func quota(c *trace.Call) string {
	most, period, found := strings.Cut(written(c), " ")
	if !found {
		return shown(most) + " microseconds in each period"
	}
	return shown(most) + " in every " + shown(period) + " microseconds"
}
